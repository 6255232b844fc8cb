"""Exports of relations: a signature for marked texts and one for offsets, both verified, warmed up and served."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from keras_ft.errors import RequestError
from keras_ft.evaluation.predict import predict
from keras_ft.evaluation.predictor import Predictor
from keras_ft.export.expected import as_json
from keras_ft.export.export import export
from keras_ft.export.joined import export_joined, export_runs
from keras_ft.export.verify import EXPECTED_FILE
from keras_ft.presets.saved_weights import save_weights
from keras_ft.serving.background import BackgroundServer
from keras_ft.serving.client import Client
from keras_ft.serving.models.session_model import SessionModel
from keras_ft.serving.monitoring.reference import REFERENCE_FILE, Reference
from keras_ft.tasks.model import build_model, load_model
from keras_ft.tasks.registry import save_task
from keras_ft.tasks.relation import OFFSETS, Relation
from keras_ft.tasks.tagging import Tagging
from tests.tiny_relations import marked_texts

ORDER = ("head_start", "head_end", "head_label", "tail_start", "tail_end", "tail_label", "label")
TRIPLE = {*ORDER, "score"}
OUTPUTS = {"label", "score", "labels", "scores", "truncated"}


@pytest.fixture(scope="module")
def exported(relation_run, tmp_path_factory) -> Path:
    return Path(export(relation_run, tmp_path_factory.mktemp("models") / "relations")[0])


def test_both_signatures_run_through_a_session(exported):
    model = SessionModel(exported)
    assert set(model.signatures) == {"serving_default", "relation", "spans"}
    assert {name: spec.dtype for name, spec in model.signatures["serving_default"].inputs.items()} == {"text": "string"}
    spans = model.signatures["spans"]
    assert {name: spec.dtype for name, spec in spans.inputs.items()} == {
        "text": "string",
        **dict.fromkeys(OFFSETS, "int32"),
    }
    assert set(spans.outputs) == set(model.signatures["relation"].outputs) == OUTPUTS
    assert model.warm_up() == 6
    text = np.array([f"the box has a cat {i}".encode() for i in range(3)], object)
    offsets = dict(zip(OFFSETS, np.array([[4, 14, 3], [7, 17, 3], [14, 4, 7], [17, 7, 10]], np.int32), strict=True))
    found = model.predict("spans", {"text": text, **offsets})
    assert found["label"].tolist()[:2] == [b"Whole(e1,e2)", b"Whole(e2,e1)"]
    assert found["label"][2] == b""
    empty = model.predict("spans", {"text": text[:0], **{name: values[:0] for name, values in offsets.items()}})
    assert empty["labels"].shape == (0, 3)


def test_what_is_verified_holds_relations_and_requests_without_any(exported):
    record = json.loads((exported / EXPECTED_FILE).read_text())
    labels = record["answers"]["spans"]["label"]
    assert labels == record["answers"]["serving_default"]["label"]
    assert 10 < labels.count("") < len(labels) - 10
    assert record["requests"]["spans"]["text"][0] == Relation.without_marks(record["requests"]["relation"]["text"][0])


def test_the_server_answers_both_as_predict_does(exported, relation_run, tmp_path):
    texts = [text for text, _ in marked_texts()]
    data = tmp_path / "texts.jsonl"
    data.write_text("\n".join(json.dumps({"text": text}, ensure_ascii=False) for text in texts), encoding="utf-8")
    python = list(predict(relation_run, [], data))
    task = json.loads((relation_run / "model" / "task.json").read_text())
    assert task["labels"] == ["Other", "Whole(e1,e2)", "Whole(e2,e1)"]
    rows = Relation([], "markers", 8).as_other_requests("spans", {"text": texts})
    spans = [{name: values[i] for name, values in rows.items()} for i in range(len(texts))]
    wrong = {**spans[0], "head_end": 99}
    with BackgroundServer([exported.parent]) as server:
        client = Client(server.url)
        marked = client.predict("relations", instances=[*texts, "no entities"])
        spanned = client.predict("relations", instances=[*spans, wrong], signature_name="spans")
    assert (
        marked[-1]
        == spanned[-1]
        == {"label": "", "score": 0, "labels": [""] * 3, "scores": [0] * 3, "truncated": False}
    )
    for mine, one, other in zip(python, marked, spanned, strict=False):
        assert mine["labels"] == one["labels"] == other["labels"]
        np.testing.assert_allclose(one["scores"], mine["scores"], atol=1e-5)
        np.testing.assert_allclose(other["scores"], mine["scores"], atol=1e-5)


@pytest.fixture(scope="module")
def tagging_run(relation_run, tmp_path_factory) -> Path:
    """A run of an untrained tagger, which finds entities where chance wants them."""
    run = tmp_path_factory.mktemp("tagging") / "run"
    shutil.copytree(relation_run, run)
    trained = load_model(run / "model")
    task = Tagging(["animal", "thing"], 32, crf=False, stride=8)
    model = build_model(task, trained.pretrained, seed=3)
    model.head.kernel.assign(20 * model.head.kernel)
    save_task(task, run / "model")
    save_weights(model, run / "model")
    return run


def test_two_runs_become_one_model_that_finds_triples(tagging_run, relation_run, tmp_path):
    folder = Path(export_joined(tagging_run, relation_run, tmp_path / "triples", max_pairs=6)[0])
    names = {path.name for path in (folder / "assets").iterdir()}
    assert {"entities_labels.txt", "entities_vocab.txt", "relations_labels.txt", "relations_vocab.txt"} <= names
    model, record = SessionModel(folder), json.loads((folder / EXPECTED_FILE).read_text())
    outputs = {name: set(signature.outputs) for name, signature in model.signatures.items()}
    assert outputs == {name: {*TRIPLE, "truncated"} for name in ("serving_default", "triples")}
    reference = Reference.read(folder / REFERENCE_FILE)
    assert (reference.task, reference.inputs, list(reference.of)) == ("triples", ("text",), ["characters"])
    requests, answers = record["requests"]["triples"]["text"], record["answers"]["triples"]
    served = model.predict("triples", {"text": np.array([text.encode() for text in requests], object)})
    for name, values in as_json(served).items():
        np.testing.assert_allclose(values, answers[name], atol=1e-5) if name == "score" else None
        assert name == "score" or values == answers[name], name

    few = [i for i, text in enumerate(requests) if len(text) < 60]
    entities = Predictor(load_model(tagging_run / "model"))({"text": [requests[i] for i in few]})
    relations = Predictor(load_model(relation_run / "model"), signature="spans")
    spans = ("start", "end", "label")
    count = 0
    for i, *row in zip(few, *(entities[name].tolist() for name in spans), strict=True):
        found = [entity for entity in zip(*row, strict=True) if entity[0] >= 0]
        pairs = [(head, tail) for head in found for tail in found if head != tail]
        assert answers["truncated"][i] == (len(pairs) > 6)
        triples = list(zip(*(answers[name][i] for name in ORDER), strict=True))
        triples = [triple for triple in triples if triple[0] >= 0]
        count += len(triples)
        if not pairs or answers["truncated"][i]:
            continue
        offsets = dict(zip(OFFSETS, zip(*((*head[:2], *tail[:2]) for head, tail in pairs), strict=True), strict=True))
        said = relations({"text": [requests[i]] * len(pairs), **offsets})["label"].tolist()
        expected = [(*head, *tail, label) for (head, tail), label in zip(pairs, said, strict=True) if label != b"Other"]
        assert triples == [tuple(v.decode() if isinstance(v, bytes) else v for v in triple) for triple in expected]
    assert count > 10
    (said,) = predict(folder, [requests[few[0]]], None)
    assert len(said["label"]) == len(said["head_start"]) == sum(start >= 0 for start in answers["head_start"][few[0]])


def test_runs_of_other_tasks_and_options_of_the_other_kind_are_refused(tagging_run, relation_run, tmp_path):
    for runs in ((relation_run, tagging_run), (tagging_run, tagging_run)):
        with pytest.raises(RequestError, match="a tagging run is exported --with a relation run"):
            export_joined(*runs, tmp_path / "triples")
    with pytest.raises(RequestError, match="--max-pairs goes together with --with"):
        export_runs(tagging_run, None, tmp_path / "a", None, "float32", None, 5, None)
    with pytest.raises(RequestError, match="--top-k does not go together with --with"):
        export_runs(tagging_run, relation_run, tmp_path / "a", None, "float32", 3, None, None)
    with pytest.raises(RequestError, match="--max-pairs 0 should be at least 1"):
        export_runs(tagging_run, relation_run, tmp_path / "a", None, "float32", None, 0, None)
