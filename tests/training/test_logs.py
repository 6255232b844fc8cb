"""What `logging` in the recipe writes, in runs of a tiny model."""

import json
import os
import signal
import sys
from pathlib import Path

import keras
import pytest
import tensorflow as tf

from keras_ft.errors import RequestError, ResumeError
from keras_ft.recipe_file import load_recipe
from keras_ft.training.train import train
from tests.tiny import write_recipe

STUB = """
from types import SimpleNamespace

runs = []
errors = SimpleNamespace(Error=ConnectionError)

class Run:
    def __init__(self, **options):
        self.options, self.logged, self.summary, self.exit_code = options, [], {}, None
    def define_metric(self, name, step_metric=None):
        pass
    def log(self, values):
        self.logged.append(values)
    def finish(self, exit_code):
        self.exit_code = exit_code

def init(**options):
    runs.append(Run(**options))
    return runs[-1]
"""


def silent(line):
    pass


@pytest.fixture
def wandb(tmp_path, monkeypatch):
    """A stand-in for the package."""
    (tmp_path / "stub").mkdir()
    (tmp_path / "stub" / "wandb.py").write_text(STUB)
    monkeypatch.syspath_prepend(tmp_path / "stub")
    monkeypatch.delitem(sys.modules, "wandb", raising=False)
    import wandb

    yield wandb
    sys.modules.pop("wandb", None)


def scalars(folder: Path) -> dict[str, list[int]]:
    """Tag → the steps it was written at."""
    found: dict[str, list[int]] = {}
    for file in folder.glob("events.out.tfevents.*"):
        for event in tf.compat.v1.train.summary_iterator(str(file)):
            for value in event.summary.value:
                found.setdefault(value.tag, []).append(event.step)
    return found


def test_events_and_profile_are_as_the_recipe_wants_them(tmp_path):
    recipe = load_recipe(write_recipe(tmp_path), ["train.epochs=2", "logging={every: 3, profile: 4..5}"])
    train(recipe, tmp_path / "run", tell=silent)
    found = scalars(tmp_path / "run" / "events")
    for name in ("loss", "learning_rate", "gradient_norm", "examples_per_second", "tokens_per_second"):
        assert found[f"train/{name}"] == [3, 6, 9], name
    assert found["validation/accuracy"] == [5, 10]
    (trace,) = (tmp_path / "run" / "events").glob("plugins/profile/*/*.xplane.pb")
    assert b"MatMul" in trace.read_bytes(), "the trace holds no operation of the step"


def test_one_run_of_weights_and_biases_over_a_resume_and_no_events_where_none_are_wanted(tmp_path, wandb):
    recipe = load_recipe(
        write_recipe(tmp_path),
        ["train.epochs=2", "logging={every: 1, tensorboard: false, wandb: {project: mine, tags: [a]}}"],
    )

    class Stop(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if logs["step"] == 4:
                os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(ResumeError):
        train(recipe, tmp_path / "run", [Stop()], silent)
    train(recipe, tmp_path / "run", tell=silent)
    first, second = wandb.runs
    assert (first.options["project"], first.options["name"], first.options["tags"]) == ("mine", "run", ["a"])
    assert first.options["id"] == second.options["id"] == json.loads((tmp_path / "run/wandb.json").read_text())["id"]
    assert second.options["resume"] == "allow"
    assert [v["step"] for r in wandb.runs for v in r.logged if "train/loss" in v] == list(range(1, 11))
    assert [v["step"] for r in wandb.runs for v in r.logged if "validation/accuracy" in v] == [5, 10]
    assert (first.exit_code, second.exit_code) == (1, 0)
    assert "best/accuracy" in second.summary
    assert not (tmp_path / "run" / "events").exists()


@pytest.mark.parametrize(
    ("logging", "message"),
    [
        ("{wandb: true}", r"pip install 'keras-ft\[wandb\]'"),
        ("{profile: 5..100}", r"logging.profile is 5\.\.100; the run's steps are 1\.\.5"),
        ("{profile: 3..2}", r"logging.profile is 3\.\.2"),
        ("{profile: 5-6}", "logging.profile"),
        ("{wandb: {projet: x}}", "did you mean 'project'"),
        ("{every: 0}", "logging.every"),
    ],
)
def test_logging_that_cannot_be_is_refused_before_training(tmp_path, monkeypatch, logging, message):
    monkeypatch.setitem(sys.modules, "wandb", None)
    path = write_recipe(tmp_path)
    with pytest.raises(RequestError, match=message):
        train(load_recipe(path, ["train.epochs=1", f"logging={logging}"]), tmp_path / "run", tell=silent)
    assert not (tmp_path / "run").exists()
