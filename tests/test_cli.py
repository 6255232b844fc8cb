"""Every wrong request, as a user would type it: one clear line, exit code 2, nothing left behind."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from keras_ft.cli import app, main
from keras_ft.errors import KerasFTError
from tests.tiny import sentiment_rows, write_jsonl, write_recipe

LABELLED = [{"text": "great", "label": "good"}, {"text": "awful", "label": "bad"}] * 4


def refused(capsys, monkeypatch, *arguments: object) -> str:
    """Run a verb that should be refused; returns its one line."""
    monkeypatch.setattr(sys, "argv", ["keras-ft", *map(str, arguments)])
    with pytest.raises(SystemExit) as exit_:
        main()
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("keras-ft: ")]
    assert exit_.value.code == 2
    assert len(lines) == 1
    return lines[0]


def bad_utf8(folder: Path) -> None:
    lines = (folder / "train.jsonl").read_bytes().splitlines(keepends=True)
    lines[4] = lines[4].replace(b"text", b"te\xffxt")
    (folder / "train.jsonl").write_bytes(b"".join(lines))


def write_lines(name: str, rows: list[dict]):
    return lambda folder: write_jsonl(folder / name, rows) and None


@pytest.mark.parametrize(
    ("spoil", "settings", "messages"),
    [
        (None, ["data.train=trian.jsonl"], ["no such file", "trian.jsonl", "did you mean 'train.jsonl'"]),
        (lambda f: (f / "train.jsonl").write_text(""), [], ["train.jsonl holds no records"]),
        (None, ["data.columns.text=body"], ["train.jsonl line 1 has no 'body'", "'text', 'label'"]),
        (
            write_lines("train.jsonl", [*LABELLED, {"text": "good", "label": None}]),
            [],
            ["train.jsonl line 9 has no 'label'"],
        ),
        (
            write_lines("test.jsonl", [*LABELLED, {"text": "so so", "label": "neutral"}]),
            ["data.validation=test.jsonl"],
            ["test.jsonl line 9", "no label 'neutral'"],
        ),
        (write_lines("train.jsonl", LABELLED[:1] * 9), [], ["one label only, 'good'"]),
        (None, ["train.epoch=3"], ["unknown key 'train.epoch'", "did you mean 'epochs'"]),
        (None, ["train.batch_size=big"], ["train.batch_size", "integer", "'big'"]),
        (None, ["task=clasification"], ["unknown task", "did you mean 'classification'"]),
        (None, ["task.poling=mean"], ["did you mean 'pooling'"]),
        (None, ["task.pooling=max"], ["pooling", "'mean'"]),
        (None, ["backbone=minilm_l6_en_uncase"], ["did you mean 'minilm_l6_en_uncased'"]),
        (lambda f: (f / "bert/model.safetensors").write_bytes(b"x" * 99), [], ["model.safetensors is corrupt"]),
        (None, ["data.max_length=65"], ["max_length is 65", "64 positions"]),
        (bad_utf8, [], ["train.jsonl line 5 is not UTF-8"]),
        (lambda f: (f / "run").mkdir() or (f / "run/thesis.txt").write_text("mine"), [], ["holds no run"]),
        (write_lines("train.jsonl", [{"text": "a", "label": ["x"]}]), [], ["train.jsonl line 1", "the label is ['x']"]),
        (write_lines("train.jsonl", [{"text": "a", "label": "x\ny"}]), [], ["train.jsonl line 1", "line break"]),
        (None, ["train.accumulate=0"], ["train.accumulate", "should be greater than 0"]),
        (None, ["train.evaluate_every=1.5 epochs"], ["whole number of epochs"]),
        (None, ["data.columns.txt=text"], ["no column 'txt'", "did you mean 'text'"]),
        (write_lines("train.jsonl", [{"text": 5, "label": "a"}]), [], ["train.jsonl line 1: 'text' is a number"]),
    ],
)
def test_a_wrong_recipe_or_file_is_refused_in_one_line(tmp_path, capsys, monkeypatch, spoil, settings, messages):
    recipe = write_recipe(tmp_path)
    if spoil:
        spoil(tmp_path)
    settings = [part for setting in settings for part in ("--set", setting)]
    line = refused(capsys, monkeypatch, "train", recipe, "--out", tmp_path / "run", *settings)
    for message in messages:
        assert message in line
    assert not (tmp_path / "run" / "recipe.yaml").exists()
    assert [p.name for p in tmp_path.glob("run/*")] in ([], ["thesis.txt"])


def test_an_output_folder_of_another_recipe_is_refused(tiny_run, capsys, monkeypatch):
    recipe = tiny_run.parent / "recipe.yaml"
    line = refused(capsys, monkeypatch, "train", recipe, "--out", tiny_run, "--set", "train.seed=5")
    assert "belongs to another recipe (train.seed is 0 there, 5 here)" in line
    assert (tiny_run / "metrics.json").is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "nowhere.yaml", "--out", "run"], "recipe nowhere.yaml does not exist"),
        (["evaluate", "nowhere", "--data", "x.jsonl"], "nowhere is not a run folder"),
        (["predict", "nowhere", "--text", "a"], "no such folder: nowhere"),
        (["export", "nowhere", "--to", "models/a"], "task.json is missing"),
        (["train", "{recipe}", "--out", "/proc/nowhere/run"], "/proc/nowhere/run cannot be written"),
        (["verify", "nowhere"], "no saved_model.pb"),
        (["serve", "nowhere"], "nowhere: no such folder"),
    ],
)
def test_a_path_that_leads_nowhere_is_named(capsys, monkeypatch, tmp_path, arguments, message):
    monkeypatch.chdir(tmp_path)
    recipe = str(write_recipe(tmp_path))
    arguments = [argument.replace("{recipe}", recipe) for argument in arguments]
    assert message in refused(capsys, monkeypatch, *arguments)


def test_a_port_in_use_is_refused_before_anything_is_loaded(tiny_run, tmp_path, capsys, monkeypatch):
    folder = tmp_path / "m" / "1"
    folder.mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(b"never read")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        line = refused(capsys, monkeypatch, "serve", tmp_path / "m", "--rest-port", port)
    assert f"port {port} is in use" in line


def test_evaluate_and_predict_print_json(tiny_run):
    runner = CliRunner()
    result = runner.invoke(app, ["evaluate", str(tiny_run), "--data", str(tiny_run.parent / "test.jsonl"), "--json"])
    assert json.loads(result.stdout)["accuracy"] >= 0.9
    result = runner.invoke(app, ["predict", str(tiny_run), "--text", "great film", "--text", "电影很差"])
    assert [json.loads(line)["label"] for line in result.stdout.splitlines()] == ["good", "bad"]


def test_evaluate_names_the_line_of_an_unknown_label(tiny_run, tmp_path):
    data = write_jsonl(tmp_path / "other.jsonl", [*sentiment_rows(3), {"text": "so so", "label": "neutral"}])
    result = CliRunner().invoke(app, ["evaluate", str(tiny_run), "--data", str(data)])
    assert isinstance(result.exception, KerasFTError)
    assert "other.jsonl line 4" in str(result.exception)


def test_presets_answers():
    names = json.loads(CliRunner().invoke(app, ["presets", "--json"]).stdout)["presets"]
    assert {"minilm_l6_en_uncased", "bert_base_zh"} <= names.keys()


def test_help_needs_no_heavy_import():
    code = "import sys; from keras_ft.cli import app; sys.exit('tensorflow' in sys.modules or 'keras' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], env={**os.environ}).returncode == 0
    for verb in (
        "train",
        "evaluate",
        "report",
        "compare",
        "predict",
        "export",
        "verify",
        "serve",
        "doctor",
        "presets",
        "quickstart",
        "inspect",
    ):
        result = CliRunner().invoke(app, [verb, "--help"])
        assert result.exit_code == 0


def test_debug_shows_the_traceback(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "argv", ["keras-ft", "--debug", "verify", str(tmp_path)])
    with pytest.raises(KerasFTError):
        main()


def test_convert_writes_a_folder_and_says_what_its_reader_should_know(tiny_run, tmp_path):
    out = tmp_path / "out"
    arguments = ["convert", str(tiny_run), "--to", str(out), "--format", "hugging-face", "--json"]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0
    result = json.loads(done.stdout)
    assert result["folder"] == str(out)
    assert any("pooling" in note or "BertForSequenceClassification" in note for note in result["notes"])
    assert (out / "model.safetensors").is_file()


def test_presets_say_which_forms_a_name_can_have(monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_FT_CACHE", str(tmp_path))
    (tmp_path / "presets" / "minilm_l6_en_uncased").mkdir(parents=True)
    listed = json.loads(CliRunner().invoke(app, ["presets", "--json"]).stdout)
    assert "minilm_l6_en_uncased" in listed["presets"]
    assert "minilm_l6_en_uncased" in listed["cached"]
    assert {form.split("/")[0] for form in listed["forms"]} == {"hf:", "kaggle:", "a folder"}
    assert "in the local cache: minilm_l6_en_uncased" in CliRunner().invoke(app, ["presets"]).stdout
