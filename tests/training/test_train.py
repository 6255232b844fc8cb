"""Whole runs of a tiny model; those that are killed are in `test_kill_and_resume.py`."""

import csv
import json
import os
import shutil
import signal
from pathlib import Path

import keras
import numpy as np
import pytest

from keras_ft.errors import RequestError, ResumeError, WorkError
from keras_ft.evaluation.evaluate_run import evaluate_run
from keras_ft.recipe_file import load_recipe
from keras_ft.run_folder import RunFolder
from keras_ft.tasks.model import load_model
from keras_ft.tasks.registry import load_task
from keras_ft.training import train as module
from keras_ft.training.train import train
from tests.tiny import sentiment_rows, write_jsonl, write_recipe


def silent(line: str) -> None:
    pass


def weights_of(run) -> list[np.ndarray]:
    return [np.array(v) for v in load_model(run / "model").model.variables]


def test_a_run_learns_and_leaves_all_that_the_interface_names(tiny_run):
    metrics = json.loads((tiny_run / "metrics.json").read_text())
    assert metrics["test"]["accuracy"] >= 0.9
    assert metrics["task"] == "classification"
    lengths = np.diff(np.load(tiny_run / "data" / "train" / "offsets.npy"))
    tokens = lengths[np.load(tiny_run / "data" / "train_rows.npy")].sum()  # what the dense layers multiply
    assert metrics["train"]["padding_fraction"] == 0
    assert metrics["train"]["tokens_per_second"] == pytest.approx(12 * tokens / metrics["train"]["seconds"], rel=1e-2)
    assert metrics["train"]["examples"] == 36 * 12
    assert metrics["train"]["trainable_parameters"] == metrics["train"]["total_parameters"]
    for name in ("recipe.yaml", "log.csv", "events", "checkpoints", "data"):
        assert (tiny_run / name).exists()
    for name in ("model.weights.h5", "task.json", "config.json", "tokenizer/vocab.txt"):
        assert (tiny_run / "model" / name).is_file()
    assert list((tiny_run / "events").glob("events.out.tfevents.*"))


def test_the_log_has_training_rows_and_a_row_for_every_evaluation(tiny_run):
    with (tiny_run / "log.csv").open() as file:
        rows = list(csv.DictReader(file))
    evaluations = [row for row in rows if row["val_accuracy"]]
    assert [int(row["step"]) for row in evaluations] == list(range(5, 61, 5))
    assert [int(row["step"]) for row in rows if row["loss"]] == list(range(10, 61, 10))


def test_a_finished_run_is_not_trained_again(tiny_run):
    before = (tiny_run / "model" / "model.weights.h5").stat().st_mtime_ns
    recipe = load_recipe(tiny_run.parent / "recipe.yaml")
    assert train(recipe, tiny_run, tell=silent) == json.loads((tiny_run / "metrics.json").read_text())
    assert (tiny_run / "model" / "model.weights.h5").stat().st_mtime_ns == before


def test_a_folder_of_another_recipe_names_the_difference(tiny_run):
    recipe = load_recipe(tiny_run.parent / "recipe.yaml", ["train.learning_rate=0.5"])
    with pytest.raises(RequestError, match=r"train.learning_rate is 0.003 there, 0.5 here"):
        train(recipe, tiny_run, tell=silent)


def test_two_runs_of_one_recipe_are_the_same_bit_for_bit(tiny_run, tmp_path):
    train(load_recipe(tiny_run.parent / "recipe.yaml"), tmp_path / "again", tell=silent)
    for ours, theirs in zip(weights_of(tiny_run), weights_of(tmp_path / "again"), strict=True):
        assert np.array_equal(ours, theirs)


def test_keras_callbacks_are_driven_and_can_stop_training(tmp_path):
    calls = []

    class Stopper(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            calls.append("begin")

        def on_train_batch_end(self, batch, logs=None):
            calls.append(logs["step"])
            assert np.isfinite(logs["loss"])

        def on_epoch_end(self, epoch, logs=None):
            calls.append(("epoch", sorted(logs)[:2]))
            self.model.stop_training = True

        def on_test_end(self, logs=None):
            calls.append("test")

        def on_train_end(self, logs=None):
            calls.append("end")

    train(load_recipe(write_recipe(tmp_path)), tmp_path / "run", [Stopper()], silent)
    assert calls == ["begin", 1, 2, 3, 4, 5, "test", ("epoch", ["loss", "val_accuracy"]), "end"]


def test_early_stopping_stops_and_the_best_weights_are_kept(tmp_path):
    told = []
    recipe = load_recipe(
        write_recipe(tmp_path, train="{epochs: 30, batch_size: 8, learning_rate: 1.0e-2, schedule: constant}"),
        ["train.early_stopping.metric=loss", "train.early_stopping.patience=1"],
    )
    metrics = train(recipe, tmp_path / "run", tell=told.append)
    with (tmp_path / "run" / "log.csv").open() as file:
        losses = [float(row["val_loss"]) for row in csv.DictReader(file) if row["val_loss"]]
    assert len(losses) < 30
    assert any("Stopping early" in line for line in told)
    assert metrics["validation"]["loss"] == pytest.approx(min(losses), rel=1e-5)


def test_steps_and_a_token_budget_work_instead_of_epochs_and_a_batch_size(tmp_path):
    recipe = write_recipe(tmp_path, train="{steps: 7, tokens_per_batch: 90, precision: bfloat16}")
    metrics = train(load_recipe(recipe), tmp_path / "run", tell=silent)
    assert 7 * 3 <= metrics["train"]["examples"] < 7 * 30
    assert metrics["train"]["tokens_per_second"] > 0


def test_an_unknown_early_stopping_metric_is_refused_before_training(tmp_path):
    recipe = load_recipe(write_recipe(tmp_path), ["train.early_stopping.metric=acuracy"])
    with pytest.raises(RequestError, match="did you mean 'accuracy'"):
        train(recipe, tmp_path / "run", tell=silent)


def test_an_exploding_loss_stops_with_the_step_and_advice(tmp_path):
    recipe = load_recipe(write_recipe(tmp_path), ["train.learning_rate=1e38", "train.warmup=0"])
    with pytest.raises(WorkError, match=r"at step \d+; try a lower learning_rate"):
        train(recipe, tmp_path / "run", tell=silent)


def test_max_length_beyond_the_positions_is_refused(tmp_path):
    recipe = load_recipe(write_recipe(tmp_path), ["data.max_length=65"])
    with pytest.raises(RequestError, match="max_length is 65"):
        train(recipe, tmp_path / "run", tell=silent)


def test_a_refused_recipe_leaves_no_run_behind(tmp_path):
    recipe = load_recipe(write_recipe(tmp_path), ["data.max_length=65"])
    with pytest.raises(RequestError):
        train(recipe, tmp_path / "run", tell=silent)
    train(load_recipe(tmp_path / "recipe.yaml", ["train.epochs=1"]), tmp_path / "run", tell=silent)


def test_a_wrong_metric_is_named_and_the_mended_recipe_trains_in_the_same_folder(tmp_path):
    path = write_recipe(tmp_path)
    with pytest.raises(RequestError, match="'acuracy' is not measured"):
        train(load_recipe(path, ["train.early_stopping.metric=acuracy"]), tmp_path / "run", tell=silent)
    assert not (tmp_path / "run").exists()


def test_a_refusal_later_on_keeps_what_an_earlier_start_tokenized(tmp_path):
    path = write_recipe(tmp_path)

    class Killed(BaseException):
        pass

    def kill(line):
        if line.startswith("Tokenizing test"):
            raise Killed

    with pytest.raises(Killed):
        train(load_recipe(path), tmp_path / "run", tell=kill)
    (tmp_path / "test.jsonl").rename(tmp_path / "gone.jsonl")
    with pytest.raises(RequestError, match="no such file"):
        train(load_recipe(path), tmp_path / "run", tell=silent)
    assert (tmp_path / "run" / "data" / "train" / "meta.json").is_file()


def test_a_finished_run_gets_the_report_it_lacks_and_one_from_before_reports_is_left_alone(tiny_run, tmp_path):
    recipe = load_recipe(tiny_run.parent / "recipe.yaml")
    run = shutil.copytree(tiny_run, tmp_path / "run")
    (run / "report.html").unlink()
    metrics = train(recipe, run, tell=silent)
    assert (run / "report.html").is_file()
    (run / "report.html").unlink()
    shutil.rmtree(run / "predictions")
    assert train(recipe, run, tell=silent) == metrics


@pytest.mark.parametrize(
    ("where", "number", "ends_with"),
    [
        ("in an evaluation", signal.SIGTERM, ResumeError),
        ("in the middle", signal.SIGINT, KeyboardInterrupt),
        ("at the end", signal.SIGTERM, ResumeError),
    ],
)
def test_an_interrupted_run_goes_on_and_ends_as_one_never_interrupted(tiny_run, tmp_path, where, number, ends_with):
    class Interrupt(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.step = logs["step"]
            if self.step == {"in the middle": 13, "at the end": 60}.get(where):
                os.kill(os.getpid(), number)

        def on_test_begin(self, logs=None):
            if where == "in an evaluation" and self.step == 30:
                os.kill(os.getpid(), number)

    recipe, told = load_recipe(tiny_run.parent / "recipe.yaml"), []
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    with pytest.raises(ends_with):
        train(recipe, tmp_path / "run", [Interrupt()], told.append)
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before
    metrics = train(recipe, tmp_path / "run", tell=told.append)
    assert any(line.startswith("Resuming from step") for line in told)
    for ours, theirs in zip(weights_of(tiny_run), weights_of(tmp_path / "run"), strict=True):
        assert np.array_equal(ours, theirs)
    assert metrics["validation"] == json.loads((tiny_run / "metrics.json").read_text())["validation"]


def test_sigterm_while_data_are_tokenized_keeps_them_and_says_resume_me(tmp_path):
    path = write_recipe(tmp_path)

    def preempt(line):
        if line.startswith("Tokenizing test"):
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(ResumeError, match="stopped by SIGTERM"):
        train(load_recipe(path), tmp_path / "run", tell=preempt)
    assert ResumeError.exit_code == 75
    assert (tmp_path / "run" / "data" / "train" / "meta.json").is_file()


def test_a_crash_between_steps_resumes_from_the_last_checkpoint_with_every_best_it_names(tiny_run, tmp_path):
    class Crash(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if logs["step"] == 33:
                raise RuntimeError("the machine caught fire")

    recipe = load_recipe(tiny_run.parent / "recipe.yaml")
    recipe.train.checkpoint.every.amount, recipe.train.checkpoint.every.unit = 12, "steps"
    with pytest.raises(RuntimeError):
        train(recipe, tmp_path / "run", [Crash()], silent)
    (tmp_path / "run" / "checkpoints" / "step-00000099.writing").mkdir()
    train(recipe, tmp_path / "run", tell=silent)
    for ours, theirs in zip(weights_of(tiny_run), weights_of(tmp_path / "run"), strict=True):
        assert np.array_equal(ours, theirs)
    assert not list((tmp_path / "run" / "checkpoints").glob("*.writing"))


def test_two_processes_do_not_train_in_one_folder(tmp_path):
    recipe, run = load_recipe(write_recipe(tmp_path)), RunFolder(tmp_path / "run")
    with run.claimed(recipe), pytest.raises(RequestError, match="another process is training"):
        train(recipe, tmp_path / "run", tell=silent)


def test_evaluations_fall_where_the_recipe_says_and_at_the_end(tmp_path):
    recipe = load_recipe(
        write_recipe(tmp_path), ["train.steps=10", "train.epochs=null", "train.evaluate_every=4 steps"]
    )
    train(recipe, tmp_path / "run", tell=silent)
    with (tmp_path / "run" / "log.csv").open() as file:
        assert [int(row["step"]) for row in csv.DictReader(file) if row["val_loss"]] == [4, 8, 10]


def test_changed_data_do_not_continue_an_old_checkpoint(tmp_path):
    recipe = load_recipe(write_recipe(tmp_path))

    class Crash(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if logs["step"] == 7:
                os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        train(recipe, tmp_path / "run", [Crash()], silent)
    with (tmp_path / "train.jsonl").open("a") as file:
        file.write('{"text": "one more", "label": "good"}\n')
    with pytest.raises(WorkError, match="the data changed"):
        train(recipe, tmp_path / "run", tell=silent)


CALIBRATED = "{name: classification, abstain: {accuracy: 0.9}, class_weight: balanced, label_smoothing: 0.1}"


def calibrated_recipe(folder: Path) -> Path:
    """A recipe with enough validation examples for a temperature, some of them of the wrong label."""
    path = write_recipe(
        folder,
        task=CALIBRATED,
        data="{train: train.jsonl, validation: validation.jsonl, test: test.jsonl, max_length: 32}",
        train="{epochs: 6, batch_size: 8, learning_rate: 3.0e-3}",
    )
    rows = sentiment_rows(120)
    for row in rows[::10]:
        row["label"] = "good" if row["label"] == "bad" else "bad"
    write_jsonl(folder / "validation.jsonl", rows)
    return path


@pytest.fixture(scope="module")
def calibrated_run(tmp_path_factory) -> tuple[Path, list[str]]:
    folder, told = tmp_path_factory.mktemp("calibrated"), []
    train(load_recipe(calibrated_recipe(folder)), folder / "run", tell=told.append)
    return folder / "run", told


def test_scores_are_calibrated_with_the_best_weights_before_the_test(calibrated_run):
    run, told = calibrated_run
    metrics, task = json.loads((run / "metrics.json").read_text()), load_task(run / "model")
    found = metrics["calibration"]
    assert (found["temperature"], found["abstain_below"]) == (task.temperature, task.abstain)
    assert found["examples"] == 120
    assert found["loss"] < found["loss_uncalibrated"] == pytest.approx(metrics["validation"]["loss"], rel=1e-5)
    assert any(line.startswith("Temperature") for line in told)
    again = evaluate_run(run, run.parent / "test.jsonl")
    assert again == pytest.approx(metrics["test"], rel=1e-5)
    assert set(again) >= {"coverage", "answered_accuracy"}
    on_validation = evaluate_run(run, run.parent / "validation.jsonl")
    assert on_validation["loss"] == pytest.approx(found["loss"], rel=1e-5)
    assert on_validation["accuracy"] == metrics["validation"]["accuracy"]
    assert on_validation["coverage"] == found["coverage"]


@pytest.mark.parametrize("broken", ["save_task", "save_weights"])
def test_a_run_killed_while_it_is_calibrated_is_unfinished_and_ends_the_same(
    calibrated_run, tmp_path, monkeypatch, broken
):
    whole, _ = calibrated_run
    recipe = load_recipe(whole.parent / "recipe.yaml")
    original = getattr(module, broken)

    def killed(task, *arguments):
        if broken == "save_task" and task.wants_calibration:
            return original(task, *arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(module, broken, killed)
    with pytest.raises(KeyboardInterrupt):
        train(recipe, tmp_path / "run", tell=silent)
    with pytest.raises(RequestError, match="the run is not finished"):
        load_model(tmp_path / "run" / "model")
    monkeypatch.undo()
    resumed = train(recipe, tmp_path / "run", tell=silent)
    assert resumed["test"] == pytest.approx(json.loads((whole / "metrics.json").read_text())["test"], rel=1e-5)
    ours, theirs = load_task(tmp_path / "run" / "model"), load_task(whole / "model")
    assert ours.temperature == theirs.temperature
    assert ours.abstain == pytest.approx(theirs.abstain, rel=1e-5)


def test_a_run_taken_up_after_its_weights_were_saved_does_not_count_until_it_is_calibrated_again(
    calibrated_run, tmp_path, monkeypatch
):
    whole, _ = calibrated_run
    recipe = load_recipe(whole.parent / "recipe.yaml")
    shutil.copytree(whole, tmp_path / "run")
    (tmp_path / "run" / "metrics.json").unlink()  # as if it had been killed while it was tested
    load_model(tmp_path / "run" / "model")

    def killed(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "calibrate", killed)
    with pytest.raises(KeyboardInterrupt):
        train(recipe, tmp_path / "run", tell=silent)
    with pytest.raises(RequestError, match="the run is not finished"):
        load_model(tmp_path / "run" / "model")


def test_a_backbone_that_cannot_be_fetched_leaves_the_folder_free(tmp_path, monkeypatch):
    def cannot(name):
        raise WorkError("no network")

    monkeypatch.setattr("keras_ft.tasks.backbone.load_pretrained", cannot)
    with pytest.raises(WorkError):
        train(load_recipe(write_recipe(tmp_path)), tmp_path / "run")
    assert not (tmp_path / "run").exists()
