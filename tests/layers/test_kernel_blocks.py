import numpy as np
import pytest
import tensorflow as tf

from keras_ft.layers.kernel_blocks import BLOCK, KernelBlocks
from keras_ft.layers.token_cross_entropy import token_cross_entropy

INPUTS = 5


@pytest.fixture(params=[1, BLOCK, BLOCK + 1, 3 * BLOCK - 7], ids=lambda outputs: f"{outputs} outputs")
def kernel(request) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(INPUTS, request.param)).astype("float32")


@pytest.mark.parametrize("tokens", [0, 1, 9])
def test_a_product_is_that_with_the_kernel(kernel, tokens):
    inputs = np.random.default_rng(1).normal(size=(tokens, INPUTS)).astype("float32")
    np.testing.assert_allclose(KernelBlocks.of(kernel).product(tf.constant(inputs)), inputs @ kernel, atol=1e-5)


def test_a_product_in_bfloat16_is_bfloat16(kernel):
    inputs = tf.cast(np.random.default_rng(1).normal(size=(9, INPUTS)), tf.bfloat16)
    narrow = tf.cast(kernel, tf.bfloat16)
    product = KernelBlocks.of(narrow).product(inputs)
    assert product.dtype == tf.bfloat16
    exact = tf.matmul(tf.cast(inputs, tf.float32), tf.cast(narrow, tf.float32))
    np.testing.assert_allclose(tf.cast(product, tf.float32), exact, atol=1e-3, rtol=2**-8)


def test_columns_are_those_of_the_kernel(kernel):
    outputs = np.array([0, kernel.shape[1] - 1, kernel.shape[1] // 2, 0], "int32")
    np.testing.assert_array_equal(KernelBlocks.of(kernel).columns(tf.constant(outputs)), kernel.T[outputs])


def test_outputs_that_fill_a_block_up_have_no_share_in_a_loss():
    rng = np.random.default_rng(2)
    hidden = rng.normal(size=(7, INPUTS)).astype("float32")
    table = -np.abs(rng.normal(size=(BLOCK + 3, INPUTS))).astype("float32")
    labels = tf.constant([0, BLOCK + 2, -1, 5, 6, 7, BLOCK], tf.int32)
    losses = token_cross_entropy(tf.constant(hidden), KernelBlocks.of(table.T), labels)
    np.testing.assert_allclose(losses, token_cross_entropy(tf.constant(hidden), tf.constant(table), labels), atol=1e-5)
