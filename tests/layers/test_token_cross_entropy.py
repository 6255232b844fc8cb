import itertools
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from keras_ft.layers import token_cross_entropy as module
from keras_ft.layers.token_cross_entropy import token_cross_entropy

PREDICTIONS, VOCABULARY = 7, 11
LABELS = np.array([3, 0, -1, 10, 3, 7, -1], "int32")
WEIGHTS = {
    "alike": np.ones(PREDICTIONS, "float32"),
    "none": np.zeros(PREDICTIONS, "float32"),
    "different": np.arange(PREDICTIONS, dtype="float32"),
    "negative": -np.ones(PREDICTIONS, "float32"),
}
TOLERANCES = {1.0: 1e-5, 6.0: 3e-5, 1e3: 1e-4}  # by scale: odds against a label are small, large, beyond float32
AT_ONCE = {"all": 2**24, "pieces of 3": 3 * VOCABULARY, "one": 1}


def arrays(scale: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.normal(0, scale, (PREDICTIONS, 6)).astype("float32"), rng.normal(0, 1, (VOCABULARY, 6)).astype("float32")


def reference(hidden: np.ndarray, embedding: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, ...]:
    """Losses, and the gradients of their weighted sum, in float64."""
    hidden, embedding = hidden.astype("float64"), embedding.astype("float64")
    counted, labels = LABELS >= 0, np.maximum(LABELS, 0)
    logits = hidden @ embedding.T
    logits -= logits.max(axis=1, keepdims=True)
    odds = np.exp(logits)
    losses = np.log(odds.sum(axis=1)) - logits[np.arange(PREDICTIONS), labels]
    slope = odds / odds.sum(axis=1, keepdims=True) - np.eye(VOCABULARY)[labels]
    slope *= (weights * counted)[:, None]
    return losses * counted, slope @ embedding, slope.T @ hidden


def computed(weights: np.ndarray, training: bool, scale: float = 1.0, dtype: str = "float32", traced: bool = False):
    hidden, embedding = map(tf.Variable, arrays(scale))

    def run(labels, weights):
        with tf.GradientTape() as tape:
            losses = token_cross_entropy(tf.cast(hidden, dtype), embedding, labels, training)
            total = tf.reduce_sum(losses * weights)
        return losses, *tape.gradient(total, [hidden, embedding])

    if traced:  # with a number of predictions that only running tells
        run = tf.function(run, input_signature=[tf.TensorSpec([None], tf.int32), tf.TensorSpec([None])])
    return run(tf.constant(LABELS), tf.constant(weights))


@pytest.mark.parametrize("at_once", AT_ONCE.values(), ids=AT_ONCE)
@pytest.mark.parametrize("weights", WEIGHTS.values(), ids=WEIGHTS)
@pytest.mark.parametrize("training", [False, True])
def test_losses_and_gradients_are_those_of_the_definition(monkeypatch, at_once, weights, training):
    monkeypatch.setattr(module, "LOGITS_AT_ONCE", at_once)
    expected = reference(*arrays(), weights)
    for ours, theirs in zip(computed(weights, training, traced=True), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("traced", [False, True])
@pytest.mark.parametrize("training", [False, True])
def test_certain_predictions_have_finite_losses_and_gradients(training, traced):
    scale, tolerance = max(TOLERANCES.items())
    expected = reference(*arrays(scale), WEIGHTS["alike"])
    for ours, theirs in zip(computed(WEIGHTS["alike"], training, scale, traced=traced), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("training", [False, True])
def test_bfloat16_is_near_and_its_losses_are_float32(training):
    expected = reference(*arrays(), WEIGHTS["alike"])
    losses, of_hidden, of_embedding = computed(WEIGHTS["alike"], training, dtype="bfloat16")
    assert losses.dtype == of_embedding.dtype == tf.float32
    for ours, theirs in zip((losses, of_hidden, of_embedding), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=0.06)


@pytest.mark.parametrize("training", [False, True])
def test_no_predictions_are_no_losses(training):
    hidden, embedding = tf.Variable(tf.zeros([0, 6])), tf.Variable(arrays()[1])
    with tf.GradientTape() as tape:
        losses = token_cross_entropy(hidden, embedding, tf.zeros([0], tf.int32), training)
        total = tf.reduce_sum(losses)
    assert losses.shape == (0,)
    assert not tape.gradient(total, embedding).numpy().any()


def test_no_more_logits_are_made_at_once_than_the_bound():
    hidden, embedding, labels = tf.zeros([3000, 4]), tf.zeros([30_000, 4]), tf.zeros([3000], tf.int32)

    @tf.function(autograph=False)
    def run(hidden, embedding):
        with tf.GradientTape() as tape:
            tape.watch([hidden, embedding])
            total = tf.reduce_sum(token_cross_entropy(hidden, embedding, labels, training=True))
        return tape.gradient(total, [hidden, embedding])

    graph_def = run.get_concrete_function(hidden, embedding).graph.as_graph_def(add_shapes=True)
    nodes = [*graph_def.node, *(node for function in graph_def.library.function for node in function.node_def)]
    shapes = [shape for node in nodes for shape in node.attr["_output_shapes"].list.shape if not shape.unknown_rank]
    sizes = [np.prod([dim.size for dim in shape.dim]) for shape in shapes]
    assert module.LOGITS_AT_ONCE / 2 < max(sizes) <= module.LOGITS_AT_ONCE


@pytest.mark.slow
def test_losses_and_gradients_are_the_same_under_jax(tmp_path):
    """In a process of its own: a process has one backend."""
    expected = {}
    for scale, (name, weights) in itertools.product(TOLERANCES, WEIGHTS.items()):
        parts = zip(("losses", "hidden", "embedding"), reference(*arrays(scale), weights), strict=True)
        expected |= {f"{scale}_{name}_{part}": values for part, values in parts}
    np.savez(tmp_path / "expected.npz", **expected)
    environment = {**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, "-m", "tests.layers.token_cross_entropy_under_jax", str(tmp_path / "expected.npz")]
    root = Path(__file__).parents[2]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=root)
    assert done.returncode == 0, done.stdout + done.stderr
