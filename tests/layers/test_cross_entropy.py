import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_ft.layers.cross_entropy import cross_entropy, log_complement

LABEL = np.array([0, 2, 1, 1, 0, 2, 3, 3], "int32")
EXTREME = np.array(
    [[1e4, -1e4, 0.0], [-1e4, 1e4, 0.0], [1e30, 0.0, -1e30], [0.0, 0.0, 0.0], [40.0, 0.0, 0.0]], "float32"
)


def logits(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 3, (8, 4)).astype("float32")


def reference(logits: np.ndarray, label: np.ndarray, smoothing: float, gamma: float) -> np.ndarray:
    """The papers' formulas in float64, 1 − p summed from the other classes."""
    z = logits.astype(np.float64)
    odds = np.exp(z - z.max(-1, keepdims=True))
    total = odds.sum(-1, keepdims=True)
    classes = z.shape[-1]
    rest = np.stack([np.delete(odds, j, axis=-1).sum(-1) for j in range(classes)], axis=-1) / total
    target = (1 - smoothing) * np.eye(classes)[label] + smoothing / classes
    return -(target * rest**gamma * (np.log(odds) - np.log(total))).sum(-1)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.6])
def test_without_focus_it_is_keras_cross_entropy(smoothing):
    keras_loss = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=smoothing, reduction=None)
    expected = keras_loss(np.eye(4, dtype="float32")[LABEL], logits())
    np.testing.assert_allclose(cross_entropy(logits(), LABEL, smoothing), expected, rtol=1e-5)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("gamma", [0.5, 2.0, 5.0])
def test_with_focus_it_is_keras_focal_cross_entropy(smoothing, gamma):
    keras_loss = keras.losses.CategoricalFocalCrossentropy(
        alpha=1.0, gamma=gamma, from_logits=True, label_smoothing=smoothing, reduction=None
    )
    expected = keras_loss(np.eye(4, dtype="float32")[LABEL], logits() / 3)  # Keras clips what is below 1e-7
    np.testing.assert_allclose(cross_entropy(logits() / 3, LABEL, smoothing, gamma), expected, rtol=1e-4)


@pytest.mark.parametrize(("smoothing", "gamma"), [(0.0, 0.0), (0.1, 0.0), (0.0, 0.3), (0.0, 2.0), (0.1, 2.0)])
def test_confident_answers_are_off_by_rounding_alone(smoothing, gamma):
    sure = np.array([[12.0, -3.0, 1.0], [0.0, 17.0, -2.0], [-9.0, 0.0, 8.0]], "float32")
    for label in ([0, 1, 2], [1, 0, 0]):
        label = np.array(label, "int32")
        expected = reference(sure, label, smoothing, gamma)
        np.testing.assert_allclose(cross_entropy(sure, label, smoothing, gamma), expected, rtol=2e-4, atol=1e-7)


@pytest.mark.parametrize("gamma", [0.0, 0.3, 1.0, 2.0])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("label", [0, 1, 2])
def test_losses_and_gradients_are_finite_at_extreme_logits(smoothing, gamma, label):
    tensor = tf.constant(EXTREME)
    with tf.GradientTape() as tape:
        tape.watch(tensor)
        losses = cross_entropy(tensor, tf.fill([len(EXTREME)], label), smoothing, gamma)
    assert np.isfinite(losses).all()
    assert np.isfinite(tape.gradient(losses, tensor)).all()


@pytest.mark.parametrize(("smoothing", "gamma"), [(0.0, 2.0), (0.1, 0.7)])
def test_the_gradient_is_the_slope(smoothing, gamma):
    tensor = tf.constant(logits())
    with tf.GradientTape() as tape:
        tape.watch(tensor)
        total = tf.reduce_sum(cross_entropy(tensor, tf.constant(LABEL), smoothing, gamma))
    step = 1e-5 * np.random.default_rng(1).normal(size=(8, 4))
    ends = [reference(logits() + sign * step, LABEL, smoothing, gamma).sum() for sign in (1, -1)]
    assert float(np.sum(tape.gradient(total, tensor) * step)) == pytest.approx((ends[0] - ends[1]) / 2, rel=1e-3)


def test_the_complement_of_two_equal_best_classes_is_one_half():
    np.testing.assert_allclose(np.exp(log_complement(np.zeros((1, 2), "float32"))), 0.5)
