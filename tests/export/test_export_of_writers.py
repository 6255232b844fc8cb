"""Exports of the tasks that write: requests in, texts out, on TF Serving's road."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from keras_ft.errors import RequestError
from keras_ft.evaluation.predict import predict
from keras_ft.evaluation.predictions import Predictions
from keras_ft.evaluation.predictor import Predictor
from keras_ft.export.export import export
from keras_ft.recipe_file import load_recipe
from keras_ft.serving.background import BackgroundServer
from keras_ft.serving.client import Client
from keras_ft.serving.models.session_model import SessionModel
from keras_ft.tasks.model import load_model
from keras_ft.tasks.samples import HARD_TEXTS
from keras_ft.training.train import train
from tests.tiny import SENTENCES, write_jsonl
from tests.tiny_language import GPT2, ROWS, write_language_recipe

GENERATION = "generation: {max_new_tokens: 8}"
KINDS = {
    "causal_lm": f"{{name: causal_lm, blocks: false, {GENERATION}}}",
    "text2text": f"{{name: text2text, {GENERATION}}}",
    "dialogue": f"{{name: dialogue, {GENERATION}}}",
}
TWO_LAYERS = GPT2.replace("num_layers: 1", "num_layers: 2")  # each has a cache of its own
INPUTS = {"causal_lm": "prompt", "text2text": "source", "dialogue": "turns"}
DEFAULTS = {"max_new_tokens": -1, "temperature": -1.0, "top_k": -1, "top_p": -1.0, "seed": -1}


@pytest.fixture(scope="module", params=KINDS)
def kind(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def run(kind, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp(kind)
    train_section = "{steps: 4, batch_size: 8}"
    recipe = write_language_recipe(folder, kind, task=KINDS[kind], backbone=TWO_LAYERS, train=train_section)
    train(load_recipe(recipe), folder / "run", tell=lambda line: None)
    return folder / "run"


@pytest.fixture(scope="module")
def exported(run) -> Path:
    return Path(export(run, run.parent / "models" / "writer")[0])


@pytest.fixture(scope="module")
def served(exported) -> SessionModel:
    return SessionModel(exported)


@pytest.fixture(scope="module")
def python(run) -> Predictor:
    return Predictor(load_model(run / "model"))


@pytest.fixture(scope="module")
def server(exported) -> Iterator[BackgroundServer]:
    with BackgroundServer([str(exported.parent)]) as server:
        yield server


@pytest.fixture(scope="module")
def asking(run) -> Predictor:
    return Predictor(load_model(run / "model"), asks=True)


def requests(kind: str, texts: list[str]) -> dict[str, np.ndarray]:
    encoded = [text.encode() for text in texts]
    if kind == "dialogue":
        return {
            "turns": np.array(
                [
                    [text, b"yes", b"and?"][: 1 + 2 * (i % 2)] + [b""] * (2 - 2 * (i % 2))
                    for i, text in enumerate(encoded)
                ],
                object,
            )
        }
    return {INPUTS[kind]: np.array(encoded, object)}


def asked(count: int, **settings) -> dict[str, np.ndarray]:
    types = {name: "float32" if isinstance(value, float) else "int32" for name, value in DEFAULTS.items()}
    values = {name: settings.get(name, default) for name, default in DEFAULTS.items()}
    return {name: np.broadcast_to(np.array(value, types[name]), (count,)).copy() for name, value in values.items()}


def test_signatures_are_those_of_the_interface(served, kind):
    assert set(served.signatures) >= {"serving_default", kind, "sample", "score"}
    assert set(served.signatures["serving_default"].inputs) == {INPUTS[kind]}
    assert set(served.signatures["sample"].inputs) == {INPUTS[kind], *DEFAULTS}
    for name in ("serving_default", "sample"):
        assert set(served.signatures[name].outputs) == {"text", "num_tokens", "score", "truncated"}


def test_a_text_is_the_same_in_python_in_any_batch_and_alone(served, python, kind):
    texts = HARD_TEXTS + SENTENCES
    given = requests(kind, texts)
    together = served.predict("serving_default", given)
    expected = python(
        {
            name: [[text.decode() for text in row] for row in rows]
            if rows.ndim == 2
            else [row.decode() for row in rows]
            for name, rows in given.items()
        }
    )
    assert together["text"].tolist() == expected["text"].tolist()
    assert together["num_tokens"].tolist() == expected["num_tokens"].tolist()
    np.testing.assert_allclose(together["score"], expected["score"], atol=1e-5)
    for i in range(0, len(texts), 3):
        alone = served.predict("serving_default", {name: rows[i : i + 1] for name, rows in given.items()})
        assert alone["text"][0] == together["text"][i], texts[i]
    assert together["truncated"][HARD_TEXTS.index("word " * 600)]
    assert not together["truncated"][HARD_TEXTS.index("a")]
    assert together["num_tokens"].max() <= 8


def test_an_empty_batch_has_empty_answers(served, kind):
    found = served.predict("serving_default", {name: rows[:0] for name, rows in requests(kind, ["a"]).items()})
    assert {name: len(values) for name, values in found.items()} == dict.fromkeys(found, 0)


def test_sample_without_wishes_and_cold_is_the_default(served, kind):
    given = requests(kind, SENTENCES)
    expected = served.predict("serving_default", given)["text"].tolist()
    for settings in (
        {},
        {"temperature": 0.0},
        {"temperature": 0.0, "top_k": 5, "top_p": 0.5, "seed": 3},
        {"top_k": 1, "temperature": 1.0},
    ):
        assert served.predict("sample", given | asked(len(SENTENCES), **settings))["text"].tolist() == expected


def test_every_example_of_a_sample_has_its_own_settings(served, kind):
    given = {name: np.repeat(rows, 6, axis=0) for name, rows in requests(kind, [SENTENCES[0]]).items()}
    settings = asked(6, temperature=1.5, max_new_tokens=[0, 3, 8, 8, 8, 8], seed=[1, 1, 1, 1, 2, 3])
    found = served.predict("sample", given | settings)
    text = [text.decode() for text in found["text"]]
    assert text[0] == ""
    assert found["num_tokens"][0] == found["score"][0] == 0
    assert found["num_tokens"][1] <= 3
    assert text[2] == text[3]
    assert len(set(text[3:])) > 1
    assert served.predict("sample", given | settings)["text"].tolist() == found["text"].tolist()


def test_requests_at_once_do_not_disturb_each_other(served, kind):
    given = [requests(kind, [text]) for text in SENTENCES]
    expected = [served.predict("serving_default", one)["text"][0] for one in given]
    found: dict[int, bytes] = {}
    threads = [
        threading.Thread(
            target=lambda i=i, one=one: found.update({i: served.predict("serving_default", one)["text"][0]})
        )
        for i, one in enumerate(given)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [found[i] for i in range(len(given))] == expected


def test_score_is_the_log_likelihood_that_evaluation_measures(served, run, kind):
    columns = Predictions.read(run / "predictions" / "test.npz").columns
    rows = ROWS[kind]
    if kind == "dialogue":
        given = {"turns": np.array([[turn.encode() for turn in row["turns"]] for row in rows], object)}
    else:
        given = {name: np.array([row[name].encode() for row in rows], object) for name in rows[0]}
    found = served.predict("score", given)
    assert found["num_tokens"].tolist() == columns["predicted"].tolist()
    np.testing.assert_allclose(found["log_likelihood"], -columns["loss"] * columns["predicted"], rtol=1e-4)


@pytest.mark.parametrize("kind", ["text2text"], indirect=True)  # the settings are the same for all tasks
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("temperature", -0.5),
        ("top_p", 0.0),
        ("top_p", 1.5),
        ("top_k", -2),
        ("max_new_tokens", -7),
        ("temperature", float("nan")),
    ],
)
def test_a_setting_out_of_its_range_is_refused_by_name(asking, server, name, value):
    with pytest.raises(RequestError, match=f"{name} should be .* or -1 for the default; given"):
        asking({"source": ["a"]}, asked(1, **{name: value}))
    if value != value:
        return  # JSON has no NaN
    with pytest.raises(Exception, match=f"{name} should be"):
        Client(server.url).predict(
            "writer", instances=[{"source": "a"} | DEFAULTS | {name: value}], signature_name="sample"
        )
    answers = Client(server.url).predict(
        "writer", instances=[{"source": SENTENCES[0]} | DEFAULTS] * 2, signature_name="sample"
    )
    assert answers[0] == answers[1]


@pytest.mark.parametrize("kind", ["dialogue"], indirect=True)  # of the three, it reads the most
def test_bfloat16_writes_too(run):
    _, found = export(run, run.parent / "models" / "small", dtype="bfloat16")
    assert found.dtype == "bfloat16"
    assert found.examples > len(SENTENCES)
    assert found.largest_difference <= 2e-2


def test_predict_reads_requests_from_a_file(run, exported, kind, tmp_path):
    values = [["hello", "yes", "why?"], ["ok"]] if kind == "dialogue" else ["hello", "ok"]
    file = write_jsonl(tmp_path / "requests.jsonl", [{INPUTS[kind]: value} for value in values])
    from_run = list(predict(run, [], file))
    assert [answer["text"] for answer in predict(exported, [], file)] == [answer["text"] for answer in from_run]
    assert json.loads(json.dumps(from_run[0])).keys() == {"text", "num_tokens", "score", "truncated"}
    assert next(iter(predict(run, ["ok"], None)))["text"] == from_run[1]["text"]


def test_beams_give_several_texts(tmp_path):
    generation = "generation: {max_new_tokens: 6, num_beams: 3, num_return: 2, stop: ['。'], banned_words: ['yes']}"
    recipe = write_language_recipe(
        tmp_path,
        "text2text",
        task=f"{{name: text2text, {generation}}}",
        backbone=TWO_LAYERS,
        train="{steps: 2, batch_size: 8}",
    )
    train(load_recipe(recipe), tmp_path / "run", tell=lambda line: None)
    folder, _ = export(tmp_path / "run", tmp_path / "models" / "beams")
    found = SessionModel(Path(folder)).predict("serving_default", requests("text2text", SENTENCES))
    assert found["texts"].shape == found["scores"].shape == (len(SENTENCES), 2)
    assert found["texts"][:, 0].tolist() == found["text"].tolist()
    assert (found["scores"][:, 0] >= found["scores"][:, 1]).all()
    assert not any("。".encode() in text or b"yes" in text for text in found["texts"].ravel())
