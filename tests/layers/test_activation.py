import numpy as np
import pytest
import tensorflow as tf

from keras_ft.layers.activation import INFERENCE, activate


@pytest.mark.parametrize("name", list(INFERENCE))
def test_training_gives_the_values_of_inference_and_their_gradient(name):
    x = tf.Variable(np.linspace(-6, 6, 401).astype("float32"))
    with tf.GradientTape(persistent=True) as tape:
        trained, plain = activate(x, name, training=True), activate(x, name, training=False)
    np.testing.assert_allclose(trained, plain, atol=1e-6)
    np.testing.assert_allclose(tape.gradient(trained, x), tape.gradient(plain, x), atol=1e-5)


@pytest.mark.parametrize("name", ["gelu", "gelu_new"])
def test_bfloat16_in_bfloat16_out(name):
    x = tf.cast(tf.linspace(-3.0, 3.0, 50), tf.bfloat16)
    trained = activate(x, name, training=True)
    assert trained.dtype == tf.bfloat16
    np.testing.assert_allclose(tf.cast(trained, tf.float32), INFERENCE[name](tf.cast(x, tf.float32)), atol=2e-2)
