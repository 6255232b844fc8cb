"""Layer-wise rates, averages and activation checkpointing through the TensorFlow engine."""

import numpy as np
import pytest
import tensorflow as tf

from keras_ft.batch import FIELDS, TokenBatch
from keras_ft.recipe import TrainSection
from keras_ft.tasks.classification import Classification
from keras_ft.training.tf_engine import TFEngine
from tests.updates import tiny_model


def engine_of(**settings) -> TFEngine:
    model = tiny_model()
    model.backbone.pooled_dense.trainable = False
    task = Classification(["a", "b", "c"], "mean", 16)
    engine = TFEngine(model, task, TrainSection(learning_rate=1e-2, warmup=0, **settings))
    engine.prepare(20)
    return engine


def batch() -> dict:
    lengths = [5, 9, 3]
    ids = np.random.default_rng(0).integers(0, 50, sum(lengths)).astype("int32")
    tokens = TokenBatch.from_lengths(tf.constant(ids), tf.constant(lengths))
    fields = {name: getattr(tokens, name) for name in FIELDS}
    return {**fields, "label": tf.constant([0, 2, 1])}


def losses_of(engine: TFEngine) -> np.ndarray:
    """What an evaluation with the model's weights as they are now gives for the batch."""
    tokens = TokenBatch.from_tensors(batch(), engine.task.axes)
    return np.array(engine.task.evaluation_loss(engine.task.forward(engine.model.view(), tokens), tokens)[0])


def test_a_run_with_averages_and_layer_decay_resumes_bit_for_bit():
    settings = {"ema": 0.8, "layer_decay": 0.7, "weight_decay": 0.1}
    whole, first = engine_of(**settings), engine_of(**settings)
    for step in range(4):
        whole.train_step([batch()], step)
    for step in range(2):
        first.train_step([batch()], step)
    with first.averaged_weights():  # an evaluation between must not show
        pass
    resumed = engine_of(**settings)
    resumed.load_state(first.state())
    for step in range(2, 4):
        resumed.train_step([batch()], step)
    for name, array in whole.state().items():
        assert np.array_equal(array, resumed.state()[name]), name


def test_within_averaged_weights_evaluation_and_state_are_those_of_the_average():
    engine = engine_of(ema=0.8)
    for step in range(3):
        engine.train_step([batch()], step)
    raw, losses = engine.state(), losses_of(engine)
    with engine.averaged_weights():
        held, averaged_losses = engine.state(), losses_of(engine)
    for variable, average in zip(engine.model.trainable_variables, engine.optimizer.averages(), strict=True):
        assert np.array_equal(held[f"model/{variable.path}"], average)
        assert not np.array_equal(raw[f"model/{variable.path}"], average)
    assert np.abs(losses - averaged_losses).max() > 1e-4
    np.testing.assert_array_equal(losses, losses_of(engine))


def test_activation_checkpointing_changes_no_number_that_training_shows():
    plain, checkpointed = engine_of(), engine_of(activation_checkpointing=True)
    for step in range(3):
        one, other = plain.train_step([batch()], step), checkpointed.train_step([batch()], step)
        assert other == pytest.approx(one, rel=1e-5)
