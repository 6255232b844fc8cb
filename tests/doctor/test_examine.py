import io
import json

import pytest
from rich.console import Console
from typer.testing import CliRunner

from keras_ft.cli import app
from keras_ft.doctor import examine
from keras_ft.doctor.finding import bad, note, ok
from keras_ft.doctor.probe import Probe
from keras_ft.doctor.show import show, summary
from tests.tiny import write_recipe

WELL = Probe(imported=["keras_hub"], devices=["CPU"], milliseconds={"float32": 1.0, "bfloat16": 2.0})


@pytest.fixture
def quick(monkeypatch):
    """Neither TensorFlow in a second process nor the network."""
    monkeypatch.setattr(examine, "probe", lambda modules: WELL)
    monkeypatch.setattr(examine, "hubs", lambda: [note("no network", "stay at home")])


def test_doctor_prints_every_subject_within_80_columns(quick, tmp_path):
    result = CliRunner().invoke(app, ["doctor", str(write_recipe(tmp_path)), "--out", str(tmp_path / "run")])
    assert result.exit_code == 0, result.stdout
    lines = result.stdout.splitlines()
    subjects = [line for line in lines if line and not line.startswith(" ")]
    expected = ["packages", "imports", "CPU", "accelerators", "memory and disk", "network", "recipe recipe.yaml"]
    assert subjects[:-1] == expected
    assert "nothing is wrong" in subjects[-1]
    assert max(map(len, lines)) <= 80


def test_doctor_prints_one_json_object_and_exits_1_if_something_is_bad(quick, monkeypatch):
    monkeypatch.setattr(examine, "memory", lambda: bad("no memory", "buy some"))
    result = CliRunner().invoke(app, ["doctor", "--json"])
    assert result.exit_code == 1
    findings = json.loads(result.stdout)["findings"]
    assert {"subject": "memory and disk", "state": "bad", "what": "no memory", "advice": "buy some"} in findings


def test_a_check_that_breaks_is_a_finding(quick, monkeypatch):
    def breaks(*arguments):
        raise ZeroDivisionError("0")

    monkeypatch.setattr(examine, "cpu", breaks)
    found = dict(examine.examine())
    assert "this check broke (ZeroDivisionError: 0)" in found["CPU"][0].what
    assert found["memory and disk"]


def test_a_recipe_is_left_alone_where_keras_does_not_import(quick, monkeypatch, tmp_path):
    monkeypatch.setattr(examine, "probe", lambda modules: Probe(failed={"keras_hub": "ImportError"}))
    found = dict(examine.examine(write_recipe(tmp_path)))
    assert "Keras cannot be imported" in found["recipe recipe.yaml"][0].what
    assert any(finding.state == "bad" for finding in found["imports"])


def test_long_paths_fold_and_brackets_stay():
    file = io.StringIO()
    show("x", [bad("/a" * 60, "pip install 'keras-ft[serve]'"), ok("fine")], Console(file=file, width=40))
    lines = file.getvalue().splitlines()
    assert "".join(line[8:].strip() for line in lines).count("/a") == 60
    assert "keras-ft[serve]" in file.getvalue()
    assert max(map(len, lines)) <= 40


def test_the_summary_counts():
    states = [{"state": finding.state} for finding in (ok("a"), bad("b", "c"), note("d"))]
    assert summary(states) == "1 bad, 1 to note, 1 ok"
