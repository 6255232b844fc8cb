"""A trained reader of answers: measured, exported, and asked about very long contexts."""

import json
import random
import shutil
from pathlib import Path

import numpy as np
import pytest

from keras_ft.evaluation.evaluate_run import evaluate_run
from keras_ft.evaluation.predict import predict
from keras_ft.evaluation.predictions import Predictions
from keras_ft.evaluation.predictor import Predictor
from keras_ft.evaluation.views import view_of
from keras_ft.export.export import export
from keras_ft.recipe_file import load_recipe
from keras_ft.serving.models.session_model import SessionModel
from keras_ft.serving.monitoring.reference import REFERENCE_FILE, Reference
from keras_ft.tasks.model import load_model
from keras_ft.tasks.samples import HARD_TEXTS
from keras_ft.training.train import train
from tests.tiny_qa import question_rows, write_qa_recipe


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("qa")
    train(load_recipe(write_qa_recipe(folder)), folder / "run", tell=lambda line: None)
    return folder / "run"


@pytest.fixture(scope="module")
def exported(run, tmp_path_factory) -> Path:
    return Path(export(run, tmp_path_factory.mktemp("models") / "qa")[0])


@pytest.fixture(scope="module")
def ask(exported):
    model = SessionModel(exported)

    def answers(questions: list[str], contexts: list[str]) -> dict[str, np.ndarray]:
        columns = {"question": questions, "context": contexts}
        inputs = {name: np.array([text.encode() for text in texts], object) for name, texts in columns.items()}
        return model.predict("span_qa", inputs)

    return answers


def test_signatures_are_those_of_the_interface(exported):
    signature = SessionModel(exported).signatures["serving_default"]
    assert set(signature.inputs) == {"question", "context"}
    assert set(signature.outputs) == {"answer", "start", "end", "score", "no_answer_score", "truncated"}


def test_an_export_answers_anything_and_alone_as_in_a_batch(ask):
    questions, contexts = ["", "who?", " ", *HARD_TEXTS], ["", "", "电影", *HARD_TEXTS]
    together = ask(questions, contexts)
    assert (together["start"][:2].tolist(), together["answer"][:2].tolist()) == ([-1, -1], [b"", b""])
    for i, context in enumerate(contexts):
        start, end = together["start"][i], together["end"][i]
        assert together["answer"][i].decode() == (context[start:end] if start >= 0 else "")
        alone = ask([questions[i]], [context])
        assert (alone["start"][0], alone["end"][0]) == (start, end)
        np.testing.assert_allclose(alone["score"][0], together["score"][i], atol=1e-5)


def test_the_exports_reference_counts_which_questions_were_answered(run, exported):
    found = Reference.read(exported / REFERENCE_FILE)
    assert found.inputs == ("question", "context")
    given = Predictions.read(run / "predictions" / "validation.npz").columns["start"] >= 0
    counts = dict(zip(found.of["label"].names, found.of["label"].counts.tolist(), strict=False))
    expected = {"answered": int(given.sum()), "no answer": int((~given).sum())}
    assert counts == {name: count for name, count in expected.items() if count}
    assert found.of["characters"].counts.sum() == len(given)


def test_a_context_that_is_no_utf8_is_read_without_the_wrong_bytes(ask, exported):
    inputs = {"question": np.array([b"who?"], object), "context": np.array([b"bad \xff film \xe4\xbb\x8a 3"], object)}
    found = SessionModel(exported).predict("", inputs)
    text = b"bad \xff film \xe4\xbb\x8a 3".decode("utf-8", "replace")
    if found["start"][0] >= 0:
        assert found["answer"][0].decode() == text[found["start"][0] : found["end"][0]]


def test_in_a_context_of_5000_words_an_answer_scores_as_in_its_window_alone(run, tmp_path):
    shutil.copytree(run, tmp_path / "run")
    path = tmp_path / "run" / "model" / "task.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"no_answer_threshold": None}))
    ask = Predictor(load_model(tmp_path / "run" / "model"))
    draw, known = random.Random(3), ["good", "bad", "film", "the", "is", "was", "not"]  # a token each
    words = [draw.choice(known) for _ in range(5000)]
    room, step = 32 - 3 - 3, 26 - 8
    begins = range(0, 5000 - room + step, step)
    columns = {"context": [" ".join(words[begin : begin + room]) for begin in begins]}
    short = ask({"question": ["good film?"] * len(begins), **columns})
    whole = ask({"question": ["good film?"], "context": [" ".join(words)]})
    offsets = np.array([len(" ".join(words[:begin])) + (begin > 0) for begin in begins])
    same = (short["start"] + offsets == whole["start"][0]) & (short["end"] + offsets == whole["end"][0])
    assert same.any()
    assert np.abs(short["score"][same] - whole["score"][0]).min() < 1e-3
    assert whole["answer"][0] in set(short["answer"][same])


def test_predict_evaluate_and_an_export_say_the_same(run, exported):
    file = run.parent / "test.jsonl"
    records = list(predict(run, [], file))
    rows = question_rows(24, seed=1)
    served = list(predict(exported, [], file))
    for one, other, row in zip(records, served, rows, strict=True):
        assert (one["answer"], one["start"], one["end"]) == (other["answer"], other["start"], other["end"])
        assert one["score"] == pytest.approx(other["score"], abs=1e-5)
        assert one["answer"] == (row["context"][one["start"] : one["end"]] if one["start"] >= 0 else "")
    found = evaluate_run(run, str(file), run.parent / "page.html")
    recorded = Predictions.read(run / "predictions" / "test.npz")
    assert found["f1"] == pytest.approx(recorded.columns["f1"].mean())
    assert recorded.columns["answer"].tolist() == [record["answer"] for record in records]
    page = (run.parent / "page.html").read_text(encoding="utf-8")
    for part in ("By kind", "no-answer threshold", "Evenly spread over the rows", "overlapping windows"):
        assert part in page


def test_resampling_each_example_once_gives_the_metrics_of_the_run(run):
    predictions = Predictions.read(run / "predictions" / "test.npz")
    view = view_of(predictions)
    once = np.ones((1, len(predictions)))
    metrics = json.loads((run / "metrics.json").read_text())["test"]
    for name, values in view.weighted_metrics(predictions.columns, once).items():
        assert values[0] == pytest.approx(metrics[name]), name
