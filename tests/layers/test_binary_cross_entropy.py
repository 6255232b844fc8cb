import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_ft.layers.binary_cross_entropy import binary_cross_entropy

RNG = np.random.default_rng(0)
LOGITS = RNG.normal(0, 3, (7, 4)).astype("float32")
PRESENT = RNG.integers(0, 2, (7, 4)).astype("uint8")


def test_it_is_tensorflows_with_a_weight_for_what_is_present_and_the_mean_over_labels():
    weights = np.array([1.0, 0.5, 4.0, 2.0], "float32")
    wanted = tf.nn.weighted_cross_entropy_with_logits(PRESENT.astype("float32"), LOGITS, weights)
    np.testing.assert_allclose(binary_cross_entropy(LOGITS, PRESENT, weights), tf.reduce_mean(wanted, -1), rtol=1e-5)
    plain = keras.losses.binary_crossentropy(PRESENT.astype("float32"), LOGITS, from_logits=True)
    np.testing.assert_allclose(binary_cross_entropy(LOGITS, PRESENT), plain, rtol=1e-5)


@pytest.mark.parametrize("gamma", [0.5, 2.0])
def test_focus_is_keras_focal_loss(gamma):
    wanted = keras.losses.binary_focal_crossentropy(PRESENT.astype("float32"), LOGITS, gamma=gamma, from_logits=True)
    np.testing.assert_allclose(binary_cross_entropy(LOGITS, PRESENT, gamma=gamma), wanted, rtol=1e-4)


def test_gradients_stay_finite_however_sure_the_model_is():
    logits = tf.constant([[-1e4, 1e4, -200.0, 200.0, 0.0]])
    with tf.GradientTape() as tape:
        tape.watch(logits)
        loss = binary_cross_entropy(logits, [[1, 0, 0, 1, 1]], [2.0] * 5, gamma=0.5)
    assert np.isfinite(loss).all()
    assert np.isfinite(tape.gradient(loss, logits)).all()
