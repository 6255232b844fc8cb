"""Keras' own callbacks in runs of a tiny model, whole and interrupted."""

import csv
import os
import signal

import keras
import numpy as np
import pytest

from keras_ft.errors import RequestError
from keras_ft.recipe_file import load_recipe
from keras_ft.tasks.model import load_model
from keras_ft.training.keras_callbacks import settle_callbacks
from keras_ft.training.train import train
from tests.tiny import write_recipe

TRAIN = "{epochs: 5, batch_size: 8, learning_rate: 3.0e-2, schedule: constant, warmup: 0, checkpoint: {every: 4 steps}}"


def silent(line):
    pass


class Interrupt(keras.callbacks.Callback):
    def __init__(self, step):
        super().__init__()
        self.at = step

    def on_train_batch_end(self, batch, logs=None):
        if logs["step"] == self.at:
            os.kill(os.getpid(), signal.SIGINT)


def some() -> list[keras.callbacks.Callback]:
    return [
        keras.callbacks.EarlyStopping(monitor="val_loss", patience=50, restore_best_weights=True),
        keras.callbacks.ReduceLROnPlateau(monitor="loss", factor=0.5, patience=0, min_delta=100, cooldown=1),
        keras.callbacks.History(),
    ]


def weights_of(run) -> list[np.ndarray]:
    return [np.array(v) for v in load_model(run / "model").model.variables]


def rates(run) -> list[float]:
    with (run / "log.csv").open() as file:
        return [float(row["learning_rate"]) for row in csv.DictReader(file) if row["learning_rate"]]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("callbacks")
    callbacks = some()
    write_recipe(folder, train=TRAIN, logging="{every: 1}")
    metrics = train(load_recipe(folder / "recipe.yaml"), folder / "run", callbacks, silent)
    return folder, metrics, callbacks


def test_a_plateau_lowers_the_learning_rate_and_the_best_weights_are_restored(whole):
    folder, metrics, (stopping, plateau, history) = whole
    assert rates(folder / "run")[0] == pytest.approx(3e-2)
    assert rates(folder / "run")[-1] < 2e-2
    assert plateau.cooldown_counter >= 0
    assert metrics["validation"]["loss"] == pytest.approx(min(history.history["val_loss"]), rel=1e-6)
    for ours, theirs in zip(stopping.best_weights, weights_of(folder / "run"), strict=True):
        assert np.array_equal(ours, theirs)


@pytest.mark.parametrize("step", [7, 22])
def test_an_interrupted_run_ends_as_the_whole_one_and_so_do_its_callbacks(whole, tmp_path, step):
    folder, metrics, before = whole
    recipe = load_recipe(folder / "recipe.yaml")
    with pytest.raises(KeyboardInterrupt):
        train(recipe, tmp_path / "run", [*some(), Interrupt(step)], silent)
    callbacks = some()
    resumed = train(recipe, tmp_path / "run", callbacks, silent)
    assert resumed["validation"] == metrics["validation"]
    assert rates(tmp_path / "run") == rates(folder / "run")
    for ours, theirs in zip(weights_of(tmp_path / "run"), weights_of(folder / "run"), strict=True):
        assert np.array_equal(ours, theirs)
    for ours, theirs in zip(callbacks, before, strict=True):
        for name in ("history", "best", "wait", "best_epoch", "cooldown_counter", "epoch"):
            assert getattr(ours, name, None) == getattr(theirs, name, None), name


def test_a_scheduler_does_not_set_the_rate_again_where_a_run_goes_on_within_an_epoch(tmp_path):
    path = write_recipe(tmp_path, train="{epochs: 3, batch_size: 8, learning_rate: 1.0e-3}", logging="{every: 1}")
    recipe = load_recipe(path)

    def falling() -> keras.callbacks.Callback:
        return keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate * 0.9)

    train(recipe, tmp_path / "whole", [falling()], silent)
    with pytest.raises(KeyboardInterrupt):
        train(recipe, tmp_path / "run", [falling(), Interrupt(7)], silent)
    train(recipe, tmp_path / "run", [falling()], silent)
    assert rates(tmp_path / "run") == rates(tmp_path / "whole")
    for ours, theirs in zip(weights_of(tmp_path / "run"), weights_of(tmp_path / "whole"), strict=True):
        assert np.array_equal(ours, theirs)


def test_a_callback_that_stops_before_any_evaluation_still_leaves_a_measured_run(tmp_path):
    class Stop(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.model.stop_training = logs["step"] == 2

    recipe = load_recipe(write_recipe(tmp_path), ["train.evaluate_every=4 epochs"])
    metrics = train(recipe, tmp_path / "run", [Stop()], silent)
    assert metrics["train"]["examples"] == 16
    assert "accuracy" in metrics["validation"]


def test_a_scheduler_of_keras_sets_the_learning_rate_and_a_file_is_written_by_the_step(tmp_path):
    path = write_recipe(
        tmp_path, train="{epochs: 2, batch_size: 8, schedule: constant, warmup: 0}", logging="{every: 1}"
    )
    callbacks = [
        keras.callbacks.LearningRateScheduler(lambda epoch, rate: 0.01 / (epoch + 1)),
        keras.callbacks.ModelCheckpoint(
            str(tmp_path / "best.weights.h5"), monitor="val_accuracy", save_best_only=True, save_weights_only=True
        ),
    ]
    train(load_recipe(path), tmp_path / "run", callbacks, silent)
    assert rates(tmp_path / "run") == pytest.approx([0.01] * 5 + [0.005] * 5)
    model = load_model(tmp_path / "run" / "model").model
    model.load_weights(tmp_path / "best.weights.h5")


@pytest.mark.parametrize(
    ("callback", "message"),
    [
        (
            keras.callbacks.EarlyStopping(monitor="val_acuracy"),
            "'val_acuracy', which is not.*did you mean 'val_accuracy'",
        ),
        (keras.callbacks.ModelCheckpoint("x.weights.h5", "lost", save_weights_only=True, save_freq=2), "'lost'"),
        (keras.callbacks.ModelCheckpoint("x.keras"), "can save weights only"),
        (keras.callbacks.BackupAndRestore("x"), "the run folder's checkpoints do this"),
        (keras.callbacks.SwapEMAWeights(), "needs Keras' own averaging"),
    ],
)
def test_a_callback_that_cannot_work_is_refused(callback, message):
    with pytest.raises(RequestError, match=message):
        settle_callbacks([callback], ["loss", "accuracy"])


def test_accuracy_should_rise_and_losses_should_fall():
    callbacks = [keras.callbacks.EarlyStopping(monitor=name) for name in ("val_accuracy", "val_loss", "loss")]
    settle_callbacks(callbacks, ["loss", "accuracy"])
    assert [callback.mode for callback in callbacks] == ["max", "min", "min"]
