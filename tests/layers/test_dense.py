import numpy as np
import tensorflow as tf

from keras_ft.layers.dense import dense

TOKENS, WIDTH, OUTPUTS = 800, 16, 64


def gradients(dtype, training):
    def tensor(*shape, seed):
        return tf.cast(tf.random.stateless_normal(shape, [seed, 0]), dtype)

    inputs, kernel, bias = tensor(TOKENS, WIDTH, seed=1), tensor(WIDTH, OUTPUTS, seed=2), tensor(OUTPUTS, seed=3)
    above = tensor(TOKENS, OUTPUTS, seed=4)
    with tf.GradientTape() as tape:
        tape.watch([inputs, kernel, bias])
        outputs = dense(inputs, kernel, bias, training)
    found = tape.gradient(outputs, [inputs, kernel, bias], output_gradients=above)
    return outputs, above, found


def test_values_do_not_depend_on_whether_a_gradient_will_be_asked_for():
    for dtype in (tf.float32, tf.bfloat16):
        assert np.array_equal(gradients(dtype, training=True)[0], gradients(dtype, training=False)[0])


def test_the_gradient_of_a_bfloat16_bias_is_summed_in_float32():
    _, above, (_, _, bias) = gradients(tf.bfloat16, training=True)
    exact = np.asarray(tf.cast(above, tf.float64)).sum(axis=0)
    np.testing.assert_allclose(tf.cast(bias, tf.float64), exact, rtol=2**-8, atol=1e-3)


def test_the_other_gradients_are_tensorflows_own():
    _, _, (inputs, kernel, _) = gradients(tf.bfloat16, training=True)
    _, _, (expected_inputs, expected_kernel, _) = gradients(tf.bfloat16, training=False)
    assert np.array_equal(inputs, expected_inputs)
    assert np.array_equal(kernel, expected_kernel)
