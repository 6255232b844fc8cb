"""A run trained with JAX is evaluated, exported and served as any other."""

import json
import os
import subprocess
import sys

import pytest

from keras_ft import backend
from keras_ft.backend import use_backend
from keras_ft.errors import RequestError
from keras_ft.evaluation.evaluate_run import evaluate_run
from keras_ft.evaluation.predict import predict
from keras_ft.export.export import export
from keras_ft.export.verify import verify
from keras_ft.recipe_file import load_recipe
from keras_ft.training.train import train
from tests.tiny import sentiment_rows, write_recipe


@pytest.mark.slow
def test_a_run_of_the_command_line_is_exported_and_answers_as_it_was_measured(tmp_path):
    recipe, run = write_recipe(tmp_path, train="{epochs: 6, batch_size: 8, learning_rate: 3.0e-3}"), tmp_path / "run"
    command = [
        sys.executable,
        "-m",
        "keras_ft",
        "train",
        recipe,
        "--out",
        run,
        "--set",
        "runtime.engine=jax",
        "--json",
    ]
    environment = {
        **os.environ,
        "KERAS_BACKEND": "torch",
        "JAX_PLATFORMS": "cpu",
    }  # what the user has set does not matter
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "Traceback" not in done.stderr
    metrics = json.loads(done.stdout)
    assert metrics["train"]["padding_fraction"] > 0  # rows hold filler
    assert "engine: jax" in (run / "recipe.yaml").read_text()
    for name in ("report.html", "log.csv", "predictions", "inspection.json"):
        assert (run / name).exists()
    again = evaluate_run(run, str(tmp_path / "test.jsonl"))
    assert again["accuracy"] == metrics["test"]["accuracy"]
    assert again["loss"] == pytest.approx(metrics["test"]["loss"], abs=1e-5)
    folder, _ = export(run, str(tmp_path / "models" / "m"))
    assert verify(folder).examples > 0
    rows = sentiment_rows(12)
    answers = list(predict(folder, [row["text"] for row in rows], None))
    right = sum(answer["label"] == row["label"] for answer, row in zip(answers, rows, strict=True))
    assert right / len(rows) == pytest.approx(metrics["test"]["accuracy"])


def test_a_process_of_tensorflow_says_how_to_train_with_jax(tmp_path):
    recipe = load_recipe(write_recipe(tmp_path), ["runtime.engine=jax"])
    with pytest.raises(RequestError, match="KERAS_BACKEND=jax before importing keras or tensorflow"):
        train(recipe, tmp_path / "run", tell=lambda line: None)
    assert not (tmp_path / "run").exists()


def test_an_absent_jax_is_named_with_what_installs_it(monkeypatch):
    monkeypatch.setattr(backend.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(RequestError, match=r"pip install 'keras-ft\[jax\]'"):
        use_backend("jax")
