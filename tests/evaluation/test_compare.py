"""Runs side by side, as a user asks for it."""

import json
import sys

import numpy as np
import pytest
from typer.testing import CliRunner

from keras_ft.cli import app, main
from keras_ft.errors import RequestError
from keras_ft.evaluation.comparison.compare import compare
from keras_ft.evaluation.comparison.show import write_comparison
from keras_ft.evaluation.predictions import Predictions
from tests.evaluation.test_run_report import Reader, check_self_contained
from tests.planted import planted_run, predictions


@pytest.fixture
def runs(tmp_path):
    """`worse`, `better` and `again`, which is `worse` with another seed and the same answers."""
    random = np.random.default_rng(0)
    label = random.integers(0, 3, 600)
    worse = np.where(random.random(600) < 0.6, label, random.integers(0, 3, 600))
    better = np.where(random.random(600) < 0.8, label, random.integers(0, 3, 600))
    planted_run(tmp_path / "worse", predictions("abc", label, worse))
    planted_run(tmp_path / "better", predictions("abc", label, better), train={"epochs": 9, "learning_rate": 0.001})
    planted_run(tmp_path / "again", predictions("abc", label, worse), train={"seed": 4})
    return tmp_path


def test_a_better_run_is_said_to_be_better_and_an_equal_one_to_be_equal(runs):
    found = compare([runs / "worse", runs / "better", runs / "again"])
    lines = found.verdicts()
    assert len(lines) == 6
    for line, metric in zip(lines, ["accuracy", "macro_f1", "mcc"], strict=False):
        assert line.startswith(f"better is significantly better than worse in {metric} (+0.")
        assert "p < 0.001" in line
    assert all("again and worse are equal in" in line for line in lines[3:])
    assert compare([runs / "better", runs / "worse"]).verdicts()[0].startswith("worse is significantly worse than")


def test_settings_that_differ_are_all_there_and_no_others(runs):
    found = compare([runs / "worse", runs / "better", runs / "again"])
    assert found.settings == {
        "train.epochs": ["3", "9", "3"],
        "train.learning_rate": ["5e-05", "0.001", "5e-05"],
        "train.seed": ["0", "0", "4"],
    }


def test_other_numbers_for_the_same_labels_change_nothing(runs):
    there = Predictions.read(runs / "better" / "predictions" / "test.npz").columns
    number = np.array([2, 0, 1])  # a, b, c are 2, 0, 1 among b, c, a
    planted_run(runs / "turned", predictions("bca", number[there["label"]], number[there["predicted"]]))
    found = compare([runs / "worse", runs / "better", runs / "turned"])
    assert found.runs[1].differences == found.runs[2].differences


@pytest.mark.parametrize("change", ["digest", "labels", "length"])
def test_other_test_data_are_shown_without_a_test(runs, change):
    there = Predictions.read(runs / "better" / "predictions" / "test.npz").columns
    label, predicted = there["label"], there["predicted"]
    if change == "labels":
        label = np.roll(label, 1)
    if change == "length":
        label, predicted = label[:-1], predicted[:-1]
    planted_run(runs / "other", predictions("abc", label, predicted, digest="e" if change == "digest" else "d"))
    found = compare([runs / "worse", runs / "other"])
    assert found.runs[1].differences == []
    assert "other was measured on other test data (test.jsonl)" in found.verdicts()[0]


def test_a_run_without_test_is_compared_on_validation(runs):
    for name in ("one", "two"):
        planted_run(runs / name, predictions("abc", [0, 1, 2], [0, 1, 1]), split="validation")
    assert compare([runs / "one", runs / "two"]).split == "validation"
    mixed = compare([runs / "worse", runs / "one"])
    assert mixed.split == "validation"
    assert mixed.runs[0].metrics["accuracy"] == 0.75


def test_a_run_of_an_older_version_is_shown_without_a_test(runs):
    (runs / "better" / "predictions" / "test.npz").unlink()
    assert "better has no predictions/test.npz" in compare([runs / "worse", runs / "better"]).verdicts()[0]


def spoil_task(runs):
    path = runs / "better" / "metrics.json"
    path.write_text(path.read_text().replace('"classification"', '"tagging"'))


@pytest.mark.parametrize(
    ("spoil", "names", "message"),
    [
        (None, ["worse"], "at least two run folders"),
        (None, ["worse", "nowhere"], "nowhere is not a run folder"),
        (lambda runs: (runs / "better" / "metrics.json").unlink(), ["worse", "better"], "better is not finished"),
        (spoil_task, ["worse", "better"], "different tasks (classification, tagging)"),
    ],
)
def test_what_cannot_be_compared_is_refused_in_one_line(runs, capsys, monkeypatch, spoil, names, message):
    if spoil:
        spoil(runs)
    monkeypatch.setattr(sys, "argv", ["keras-ft", "compare", *(str(runs / name) for name in names)])
    with pytest.raises(SystemExit) as exit_:
        main()
    assert exit_.value.code == 2
    assert message in capsys.readouterr().err


def test_the_verb_prints_a_table_json_and_a_page(runs):
    arguments = ["compare", str(runs / "worse"), str(runs / "better")]
    printed = CliRunner().invoke(app, [*arguments, "--html", str(runs / "pages" / "c.html")]).stdout
    assert "better is significantly better than worse in accuracy" in printed
    found = json.loads(CliRunner().invoke(app, [*arguments, "--json"]).stdout)
    assert [run["name"] for run in found["runs"]] == ["worse", "better"]
    test = found["runs"][1]["differences"][0]
    assert test["metric"] == "accuracy"
    assert test["significant"] is True
    assert test["method"] == "McNemar's exact test"
    gap = found["runs"][1]["metrics"]["accuracy"] - found["runs"][0]["metrics"]["accuracy"]
    assert test["difference"] == pytest.approx(gap)
    html = (runs / "pages" / "c.html").read_text()
    check_self_contained(html)
    assert Reader(html).table("Settings that differ")[1] == ["train.epochs", "3", "9"]


def test_runs_of_one_name_are_told_apart_by_their_paths(runs):
    (runs / "new").mkdir()
    (runs / "better").rename(runs / "new" / "worse")
    found = compare([runs / "worse", runs / "new" / "worse"])
    assert [run.name for run in found.runs] == [str(runs / "worse"), str(runs / "new" / "worse")]


def test_a_folder_as_the_page_is_refused(runs):
    with pytest.raises(RequestError, match="is a folder"):
        write_comparison(compare([runs / "worse", runs / "again"]), runs)
