import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from keras_ft.errors import RequestError, WorkError
from keras_ft.evaluation.predict import predict
from keras_ft.evaluation.predictor import Predictor
from keras_ft.evaluation.reference import copy_reference
from keras_ft.export import export as exporting
from keras_ft.export import saved_model
from keras_ft.export.saved_model import ServedModel
from keras_ft.export.verify import EXPECTED_FILE, verify
from keras_ft.serving.background import BackgroundServer
from keras_ft.serving.client import Client
from keras_ft.serving.models.session_model import SessionModel
from keras_ft.serving.monitoring.reference import REFERENCE_FILE, Bins, Reference
from keras_ft.tasks.model import load_model
from keras_ft.tasks.samples import HARD_TEXTS
from keras_ft.text.load import load_tokenizer


def export(*arguments, **named):
    folder, found = exporting.export(*arguments, **named)
    return Path(folder), found


@pytest.fixture(scope="module")
def exported(tiny_run, tmp_path_factory) -> Path:
    folder, _ = export(tiny_run, tmp_path_factory.mktemp("models") / "tiny")
    return folder


def changed(run: Path, copy: Path, **settings) -> Path:
    """A copy of a run whose task has other settings."""
    shutil.copytree(run, copy)
    path = copy / "model" / "task.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | settings))
    return copy


def test_an_export_holds_all_that_serving_needs(exported):
    assert exported.name == "1"
    assert (exported / "saved_model.pb").is_file()
    assert (exported / "assets" / "labels.txt").read_text().splitlines() == ["bad", "good"]
    assert (exported / "assets" / "vocab.txt").is_file()
    assert [p.name for p in exported.parent.iterdir()] == ["1"]
    assert SessionModel(exported).warm_up() == 3
    reference = Reference.read(exported / REFERENCE_FILE)
    assert set(reference.of) == {"label", "score", "characters", "unknown_tokens"}
    assert sorted(reference.of["label"].names) == ["bad", "good"]


def test_the_tokenizer_of_an_export_is_that_of_the_run_outside_the_graph_too(exported, tiny_run):
    tokenizers = [load_tokenizer(folder) for folder in (exported / "assets", tiny_run / "model" / "tokenizer")]
    assert tokenizers[0].fingerprint() == tokenizers[1].fingerprint()


def test_a_run_without_a_reference_exports_and_a_damaged_one_is_named(tiny_run, tmp_path):
    shutil.copytree(tiny_run / "model", tmp_path / "model")
    (tmp_path / "version" / "assets.extra").mkdir(parents=True)
    copied = tmp_path / "version" / REFERENCE_FILE
    copy_reference(tmp_path / "model", tmp_path / "version", None)
    assert copied.is_file()
    copied.unlink()
    (tmp_path / "model" / "reference.json").write_text("{")
    with pytest.raises(RequestError, match=r"reference.json is damaged; delete it"):
        copy_reference(tmp_path / "model", tmp_path / "version", None)
    (tmp_path / "model" / "reference.json").unlink()
    copy_reference(tmp_path / "model", tmp_path / "version", None)
    assert not copied.exists()


def test_labels_that_top_k_cuts_off_are_not_compared(tmp_path):
    (tmp_path / "assets.extra").mkdir()
    bins = {"label": Bins.of_names(["a"]), "score": Bins.of_numbers([0.5])}
    Reference("multilabel", ("text",), 1, bins).write(tmp_path / "reference.json")
    for top_k, names in ((None, {"label", "score"}), (3, {"score"})):
        copy_reference(tmp_path, tmp_path, top_k)
        assert set(Reference.read(tmp_path / REFERENCE_FILE).of) == names


def test_each_weight_is_stored_once(exported, tiny_run):
    model = load_model(tiny_run / "model").model
    weights = sum(4 * int(np.prod(v.shape)) for v in model.variables)
    stored = sum(p.stat().st_size for p in (exported / "variables").iterdir())
    assert stored <= 1.1 * weights + 30_000
    total = sum(p.stat().st_size for p in exported.rglob("*") if p.is_file())
    assert total <= 1.1 * weights + 3e6


def test_signatures_are_those_of_the_interface(exported):
    model = SessionModel(exported)
    assert set(model.signatures) >= {"serving_default", "classification"}
    signature = model.signatures["serving_default"]
    assert set(signature.inputs) == {"text"}
    assert set(signature.outputs) == {"label", "score", "labels", "scores", "truncated"}


def test_the_export_answers_as_the_python_model_does_in_any_batch(exported, tiny_run):
    texts = [*HARD_TEXTS, "great film", "电影很差"]
    python = Predictor(load_model(tiny_run / "model"))({"text": texts})
    served = SessionModel(exported)
    inputs = np.array([t.encode() for t in texts], object)
    together = served.predict("classification", {"text": inputs})
    assert together["labels"].tolist() == python["labels"].tolist()
    np.testing.assert_allclose(together["scores"], python["scores"], atol=1e-5)
    assert together["truncated"].tolist() == python["truncated"].tolist()
    assert together["truncated"][HARD_TEXTS.index("word " * 600)]
    assert not together["truncated"][HARD_TEXTS.index("a")]
    for i, text in enumerate(inputs):
        alone = served.predict("serving_default", {"text": np.array([text], object)})
        np.testing.assert_allclose(alone["scores"][0], together["scores"][i], atol=1e-5)


def test_invalid_utf8_and_an_empty_request_do_not_stop_the_model(exported):
    served = SessionModel(exported)
    spoiled = served.predict("", {"text": np.array([b"great \xff film", b"great film"], object)})
    np.testing.assert_allclose(spoiled["scores"][0], spoiled["scores"][1], atol=1e-6)
    empty = served.predict("", {"text": np.array([], object)})
    assert empty["labels"].shape == (0, 2)


def test_versions_count_up_and_never_overwrite(tiny_run, exported, tmp_path):
    models = tmp_path / "tiny"
    shutil.copytree(exported, models / "7")
    assert export(tiny_run, models)[0].name == "8"
    with pytest.raises(RequestError, match="next free: 9"):
        export(tiny_run, models, version=7)


@pytest.mark.parametrize("constants_up_to", [0, saved_model.CONSTANTS_UP_TO])
def test_bfloat16_halves_what_is_stored_and_stays_near(constants_up_to, tiny_run, exported, tmp_path, monkeypatch):
    monkeypatch.setattr(saved_model, "CONSTANTS_UP_TO", constants_up_to)
    folder, found = export(tiny_run, tmp_path / "tiny", dtype="bfloat16")
    assert found.dtype == "bfloat16"
    (half, graph), (whole, plain_graph) = stored_sizes(folder), stored_sizes(exported)
    assert half + max(0, graph - plain_graph) < 0.6 * whole
    assert (half > 0.45 * whole) == (constants_up_to == 0)
    text = {"text": np.array([b"great film"], object)}
    scores = [SessionModel(f).predict("", text)["scores"] for f in (folder, exported)]
    np.testing.assert_allclose(*scores, atol=3e-2)


def stored_sizes(folder):
    """Bytes of the variables and of the graph."""
    return sum(p.stat().st_size for p in (folder / "variables").glob("*data*")), (
        folder / "saved_model.pb"
    ).stat().st_size


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_one_label_or_more_than_there_are_verify_too(tiny_run, tmp_path, dtype):
    texts = {"text": np.array([b"great film", "电影很差".encode()], object)}
    one, all_there_are = (
        SessionModel(export(tiny_run, tmp_path / "tiny", version=top_k, dtype=dtype, top_k=top_k)[0])
        for top_k in (1, 99)
    )
    assert one.folder.name == "1"
    assert all_there_are.folder.name == "99"
    assert one.predict("", texts)["labels"].tolist() == [[b"good"], [b"bad"]]
    assert all_there_are.predict("", texts)["scores"].shape == (2, 2)
    for model in (one, all_there_are):
        assert model.predict("", texts)["label"].tolist() == [b"good", b"bad"]


def test_temperature_and_threshold_are_served(tiny_run, tmp_path):
    texts = [*HARD_TEXTS, "great film"]
    odds = np.sqrt([answer["scores"] for answer in predict(tiny_run, texts, None)])  # half the logits
    scores = odds / odds.sum(axis=-1, keepdims=True)
    threshold = float(np.sort(scores[:, 0])[6:8].mean())
    run = changed(tiny_run, tmp_path / "run", temperature=2.0, abstain=threshold)
    folder, _ = export(run, tmp_path / "tiny")
    with BackgroundServer([folder.parent]) as server:
        served = Client(server.url).predict("tiny", instances=texts)
    for answer, same, expected in zip(served, predict(run, texts, None), scores, strict=True):
        np.testing.assert_allclose(answer["scores"], expected, rtol=1e-4)
        np.testing.assert_allclose(same["scores"], expected, rtol=1e-4)
        assert answer["label"] == same["label"] == ("" if expected[0] < threshold else same["labels"][0])
    assert sum(answer["label"] == "" for answer in served) >= 7


def test_a_label_may_be_withheld_or_not_only_where_its_score_is_the_threshold(tiny_run, tmp_path):
    run = changed(tiny_run, tmp_path / "run", abstain=next(predict(tiny_run, ["a"], None))["score"])
    folder, _ = export(run, tmp_path / "tiny")
    record = json.loads((folder / EXPECTED_FILE).read_text())
    samples = record["requests"]["serving_default"]["text"]
    at, elsewhere = samples.index("a"), samples.index("각 나라의 말은 다르다")
    for answers in record["answers"].values():
        answers["label"][at] = "" if answers["label"][at] else answers["labels"][at][0]
    (folder / EXPECTED_FILE).write_text(json.dumps(record))
    verify(folder)
    for answers in record["answers"].values():
        answers["label"][elsewhere] = "" if answers["label"][elsewhere] else answers["labels"][elsewhere][0]
    (folder / EXPECTED_FILE).write_text(json.dumps(record))
    with pytest.raises(WorkError, match=f"'label' of example {elsewhere} is"):
        verify(folder)


def test_an_export_of_an_earlier_version_still_verifies(exported, tmp_path):
    copy = tmp_path / "tiny" / "1"
    shutil.copytree(exported, copy)
    record = json.loads((copy / EXPECTED_FILE).read_text())
    del record["decisions"]
    (copy / EXPECTED_FILE).write_text(json.dumps(record))
    verify(copy)


def test_an_export_that_answers_differently_is_not_kept(tiny_run, tmp_path, monkeypatch):
    own = ServedModel._own

    def spoiled(self, name, tensor):
        return own(self, name, tensor * 2.0 if name.endswith("output_kernel") else tensor)

    monkeypatch.setattr(ServedModel, "_own", spoiled)
    with pytest.raises(WorkError, match="differs by"):
        export(tiny_run, tmp_path / "tiny")
    assert not list((tmp_path / "tiny").iterdir())


def test_a_fresh_process_answers_as_python_does(exported, checked_apart):
    found = verify(exported)
    assert found.examples > 20
    assert set(found.milliseconds) == {"1", "32"}


def test_variables_without_values_are_found_out(exported, tmp_path, checked_apart):
    """`tf.saved_model.load` would not notice what TF Serving stumbles over."""
    broken = tmp_path / "tiny" / "1"
    shutil.copytree(exported, broken)
    shutil.rmtree(broken / "variables")
    with pytest.raises(WorkError, match="TF Serving cannot serve it"):
        verify(broken)


def test_changed_answers_are_found_out(exported, tmp_path):
    copy = tmp_path / "tiny" / "1"
    shutil.copytree(exported, copy)
    record = json.loads((copy / EXPECTED_FILE).read_text())
    record["answers"]["serving_default"]["label"][3] = "ugly"
    (copy / EXPECTED_FILE).write_text(json.dumps(record))
    with pytest.raises(WorkError, match="'label' of example 3 is .*, expected 'ugly'"):
        verify(copy)


def test_an_op_that_tf_serving_lacks_is_named(exported, tmp_path, monkeypatch):
    from keras_ft.export import verify as module

    module_ops = module.served_ops()
    monkeypatch.setattr(module, "served_ops", lambda: module_ops - {"FastWordpieceTokenizeWithOffsets"})
    assert "PyFunc" not in module_ops
    with pytest.raises(WorkError, match="FastWordpieceTokenizeWithOffsets"):
        verify(exported)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"dtype": "int8"}, "known: float32, bfloat16"),
        ({"version": 0}, "should be at least 1"),
        ({"top_k": 0}, "should be at least 1"),
        ({"to": "models/12"}, "not only digits"),
        ({"run": "nowhere"}, "task.json is missing"),
    ],
)
def test_wrong_arguments_are_refused(tiny_run, tmp_path, arguments, message):
    whole = {"run": tiny_run, "to": tmp_path / "tiny", **arguments}
    whole["run"], whole["to"] = Path(whole["run"]), tmp_path / whole["to"]
    with pytest.raises(RequestError, match=message):
        export(**whole)


def test_corrupt_weights_of_a_run_are_named(tiny_run, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(tiny_run, run)
    weights = run / "model" / "model.weights.h5"
    weights.write_bytes(weights.read_bytes()[:5000])
    with pytest.raises(RequestError, match=r"model.weights.h5 is corrupt"):
        export(run, tmp_path / "tiny")


def test_run_and_export_predict_the_same(exported, tiny_run, tmp_path):
    data = tmp_path / "texts.csv"
    data.write_text("text\ngreat film\n电影很差\n", encoding="utf-8")
    from_run = list(predict(tiny_run, [], data))
    assert [a["label"] for a in from_run] == ["good", "bad"]
    for model in (exported, exported.parent):
        for ours, theirs in zip(predict(model, [], data), from_run, strict=True):
            assert ours["labels"] == theirs["labels"]
            np.testing.assert_allclose(ours["scores"], theirs["scores"], atol=1e-5)
    with pytest.raises(RequestError, match="either --text"):
        predict(tiny_run, [], None)
