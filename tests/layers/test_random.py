import numpy as np
import pytest
import tensorflow as tf

from keras_ft.layers.random import Key, dropout


def test_the_same_seed_and_step_draw_the_same_mask_and_another_step_another():
    values = tf.ones((50, 20))
    first = dropout(values, 0.1, Key.from_seed(1).fold(7))
    assert np.array_equal(first, dropout(values, 0.1, Key.from_seed(1).fold(7)))
    assert not np.array_equal(first, dropout(values, 0.1, Key.from_seed(1).fold(8)))
    assert not np.array_equal(first, dropout(values, 0.1, Key.from_seed(2).fold(7)))


@pytest.mark.parametrize("rate", [0.1, 0.5])
def test_dropout_zeroes_the_rate_and_keeps_the_mean(rate):
    values = tf.ones((400, 501))
    dropped = dropout(values, rate, Key.from_seed(3)).numpy()
    assert abs((dropped == 0).mean() - rate) < 0.005
    assert abs(dropped.mean() - 1) < 0.01


def test_masks_of_two_halves_of_a_draw_are_independent():
    kept = dropout(tf.ones((1, 200_000)), 0.5, Key.from_seed(4)).numpy().reshape(-1, 2) > 0
    assert abs((kept[:, 0] == kept[:, 1]).mean() - 0.5) < 0.01


def test_dropout_without_a_key_is_the_identity():
    values = tf.random.stateless_normal((3, 4), [1, 2])
    assert dropout(values, 0.5, None) is values


def test_the_gradient_passes_only_where_the_value_was_kept():
    values = tf.Variable(tf.ones((30, 30)))
    with tf.GradientTape() as tape:
        dropped = dropout(values, 0.3, Key.from_seed(5))
        total = tf.reduce_sum(dropped)
    np.testing.assert_allclose(tape.gradient(total, values), dropped)
