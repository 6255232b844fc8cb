import numpy as np
import pytest
import tensorflow as tf

from keras_ft.layers.token_cross_entropy import token_cross_entropy

LABELS = np.array([3, 0, -1, 10, 3, 7, -1], "int32")


def arrays(scale: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.normal(0, scale, (7, 6)).astype("float32"), rng.normal(0, 1, (11, 6)).astype("float32")


def reference(hidden: np.ndarray, embedding: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, ...]:
    """Losses, and the gradients of their weighted sum, in float64."""
    hidden, embedding = hidden.astype("float64"), embedding.astype("float64")
    counted = LABELS >= 0
    logits = hidden @ embedding.T
    logits -= logits.max(axis=1, keepdims=True)
    odds = np.exp(logits)
    losses = np.log(odds.sum(axis=1)) - logits[np.arange(7), np.maximum(LABELS, 0)]
    slope = odds / odds.sum(axis=1, keepdims=True) - np.eye(11)[np.maximum(LABELS, 0)]
    slope *= (weights * counted)[:, None]
    return losses * counted, slope @ embedding, slope.T @ hidden


def computed(hidden: np.ndarray, embedding: np.ndarray, weights: np.ndarray, dtype: str = "float32"):
    hidden, embedding = tf.constant(hidden), tf.constant(embedding)
    with tf.GradientTape() as tape:
        tape.watch([hidden, embedding])
        losses = token_cross_entropy(tf.cast(hidden, dtype), embedding, tf.constant(LABELS))
        total = tf.reduce_sum(losses * weights)
    return losses, *tape.gradient(total, [hidden, embedding])


WEIGHTS = {"alike": np.ones(7, "float32"), "different": np.arange(7, dtype="float32")}


@pytest.mark.parametrize("weights", WEIGHTS.values(), ids=WEIGHTS)
@pytest.mark.parametrize("scale", [1.0, 1e3])
def test_losses_and_gradients_are_those_of_the_definition(weights, scale):
    expected = reference(*arrays(scale), weights)
    for ours, theirs in zip(computed(*arrays(scale), weights), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)


def test_bfloat16_is_near_and_its_losses_are_float32():
    expected = reference(*arrays(), WEIGHTS["alike"])
    losses, of_hidden, of_embedding = computed(*arrays(), WEIGHTS["alike"], "bfloat16")
    assert losses.dtype == tf.float32
    for ours, theirs in zip((losses, of_hidden, of_embedding), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=0.06)


def test_no_predictions_are_no_losses():
    assert token_cross_entropy(tf.zeros([0, 6]), tf.zeros([11, 6]), tf.zeros([0], tf.int32)).shape == (0,)
