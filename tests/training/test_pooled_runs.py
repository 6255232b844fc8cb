"""Whole runs of multilabel and regression: trained, reported, exported, served, compared."""

import copy
import json
from pathlib import Path

import numpy as np
import pytest

from keras_ft.errors import RequestError, WorkError
from keras_ft.evaluation.comparison.compare import compare
from keras_ft.evaluation.evaluate_run import evaluate_run
from keras_ft.evaluation.predict import predict
from keras_ft.evaluation.predictions import Predictions
from keras_ft.export.export import export
from keras_ft.export.verify import EXPECTED_FILE, Decisions, _compare
from keras_ft.recipe_file import load_recipe
from keras_ft.serving.background import BackgroundServer
from keras_ft.serving.client import Client
from keras_ft.training.train import train
from tests.tiny import write_jsonl
from tests.tiny_pooled import pooled_rows, write_pooled_recipe

TASKS = ["multilabel", "regression"]  # what pair does, classification and regression do between them


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> dict[str, Path]:
    folders = {task: tmp_path_factory.mktemp(task) for task in TASKS}
    for task, folder in folders.items():
        train(load_recipe(write_pooled_recipe(folder, task)), folder / "run", tell=lambda line: None)
    return {task: folder / "run" for task, folder in folders.items()}


@pytest.fixture(scope="module")
def exports(runs, tmp_path_factory) -> dict[str, Path]:
    models = tmp_path_factory.mktemp("models")
    return {task: Path(export(run, models / task)[0]) for task, run in runs.items()}


def metrics_of(run: Path) -> dict:
    return json.loads((run / "metrics.json").read_text())


def test_tiny_models_learn_and_calibrate(runs):
    found = metrics_of(runs["multilabel"])
    assert found["test"]["micro_f1"] >= 0.8
    assert set(found["calibration"]) >= {"threshold", "own_thresholds", "micro_f1", "micro_f1_at_half"}
    assert len(json.loads((runs["multilabel"] / "model" / "task.json").read_text())["thresholds"]) == 2
    assert metrics_of(runs["regression"])["test"]["pearson"] >= 0.8
    assert metrics_of(runs["regression"])["test"]["mae"] < 100  # always saying the mean is 150 off


def test_exports_have_the_interfaces_inputs_and_outputs_and_serve_what_predict_says(runs, exports, tmp_path):
    outputs = {
        "multilabel": {"labels", "scores", "predicted"},
        "regression": {"score"},
    }
    with BackgroundServer([folder.parent for folder in exports.values()]) as server:
        for task in TASKS:
            rows = pooled_rows(task, 40)
            texts = [{name: text for name, text in row.items() if name.startswith("text")} for row in rows]
            requests = texts if len(texts[0]) > 1 else [row["text"] for row in texts]
            served = Client(server.url).predict(task, instances=requests)
            data = write_jsonl(tmp_path / f"{task}.jsonl", texts)
            for found, said in zip(served, predict(runs[task], [], data), strict=True):
                assert set(found) == set(said) == outputs[task] | {"truncated"}
                assert found.get("labels") == said.get("labels")
                assert found.get("predicted") == said.get("predicted")
                for name in outputs[task] & {"score", "scores"}:
                    np.testing.assert_allclose(found[name], said[name], rtol=1e-5, atol=1e-5)


def test_a_label_may_tip_only_where_its_score_is_its_threshold(exports):
    record = json.loads((exports["multilabel"] / EXPECTED_FILE).read_text())
    expected = record["answers"]["serving_default"]
    found = copy.deepcopy(expected)
    found["predicted"][3][0] = not found["predicted"][3][0]
    with pytest.raises(WorkError, match="'predicted' of example 3 is"):
        _compare("x", expected, found, Decisions(**record["decisions"]), 1e-5)
    record["decisions"]["by_label"][expected["labels"][3][0]] = expected["scores"][3][0]
    _compare("x", expected, found, Decisions(**record["decisions"]), 1e-5)


def test_scores_of_another_unit_are_compared_in_it():
    expected, nothing = {"score": [1000.0, 2.0]}, Decisions([[]])
    _compare("x", expected, {"score": [1000.005, 2.0]}, nothing, 1e-5)
    with pytest.raises(WorkError, match="differs by 0.02"):
        _compare("x", expected, {"score": [1000.02, 2.0]}, nothing, 1e-5)


def test_reports_show_what_each_task_has_to_show(runs):
    pages = {task: (run / "report.html").read_text(encoding="utf-8") for task, run in runs.items()}
    assert "Reliability in 15 bins" in pages["multilabel"]
    assert "threshold" in pages["multilabel"]
    assert "A text has " in pages["multilabel"]
    assert "Answers beside labels" in pages["regression"]
    assert "Errors by label" in pages["regression"]
    assert "Largest errors" in pages["regression"]
    assert "text_b" in pages["regression"]


def test_predictions_are_in_the_order_of_the_rows_and_in_the_unit_of_the_data(runs):
    rows = pooled_rows("regression", 24)
    columns = Predictions.read(runs["regression"] / "predictions" / "test.npz").columns
    assert columns["label"].tolist() == [row["label"] for row in rows]
    said = [answer["score"] for answer in predict(runs["regression"], [], runs["regression"].parent / "test.jsonl")]
    assert columns["score"] == pytest.approx(said, rel=1e-5)
    found = Predictions.read(runs["multilabel"] / "predictions" / "test.npz")
    named = [[found.task["labels"][i] for i in np.flatnonzero(row)] for row in found.columns["labels"]]
    assert named == [sorted(row["labels"]) for row in pooled_rows("multilabel", 24)]


@pytest.mark.parametrize("task", TASKS)
def test_a_run_is_measured_anew_on_its_own_test_data_and_compared_with_itself(runs, task):
    run = runs[task]
    again = evaluate_run(run, str(run.parent / "test.jsonl"))
    assert again == pytest.approx(metrics_of(run)["test"], rel=1e-4, abs=1e-4)
    found = compare([run, run]).runs[1]
    assert not found.untested
    assert all(difference.difference == 0 for difference in found.differences)
    assert {difference.metric for difference in found.differences} <= set(again)


def test_rows_that_evaluation_cannot_use_are_refused_by_line(runs, tmp_path):
    for task, changes, message in (
        ("multilabel", {"labels": ["god"]}, "line 2: the training data have no label 'god'; did you mean 'good'"),
        ("multilabel", {"labels": 3}, "line 2: the labels are no list"),
        ("regression", {"label": float("nan")}, "line 2: the label is"),
        ("regression", {"text_b": ""}, "line 2 has no 'text_b'"),
    ):
        rows = pooled_rows(task, 2)
        data = write_jsonl(tmp_path / "bad.jsonl", [rows[0], rows[1] | changes])
        with pytest.raises(RequestError, match=message):
            evaluate_run(runs[task], str(data))
