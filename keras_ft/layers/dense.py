"""Dense layers and layer normalization over flat tokens, written so that TensorFlow fuses what it can."""

from typing import Any

import keras
from keras import ops

from keras_ft.layers.kernel_blocks import KernelBlocks

Tensor = Any


def dense(inputs: Tensor, kernel: Any, bias: Tensor, training: bool = False) -> Tensor:
    """`inputs @ kernel + bias`.

    Args:
        inputs: `(tokens, inputs)`.
        kernel: `(inputs, outputs)`, or KernelBlocks.
        bias: `(outputs,)`.
        training: whether a gradient will be asked for; the values are the same.

    Returns:
        `(tokens, outputs)`.
    """
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        # TensorFlow's graph optimizer fuses a product with BiasAdd and GELU behind it, but not with a plain addition:
        # on CPUs the whole then costs little more than the product.
        product = _product(inputs, kernel)
        exact = not training or bias.dtype == tf.float32
        return tf.nn.bias_add(product, bias) if exact else _add_bias_with_gradient(product, bias)
    return _product(inputs, kernel) + bias


def _product(inputs: Tensor, kernel: Any) -> Tensor:
    return kernel.product(inputs) if isinstance(kernel, KernelBlocks) else ops.matmul(inputs, kernel)


def _add_bias_with_gradient(values: Tensor, bias: Tensor) -> Tensor:
    """`bias_add` with a gradient that is summed up in float32: TensorFlow's own sums bfloat16 up in bfloat16."""
    import tensorflow as tf

    @tf.custom_gradient
    def add(values: Tensor, bias: Tensor) -> tuple[Tensor, Any]:
        return tf.nn.bias_add(values, bias), lambda above: (above, tf.reduce_sum(above, axis=0))

    return add(values, bias)


def layer_norm(values: Tensor, gamma_beta: tuple[Tensor, Tensor], epsilon: float) -> Tensor:
    """Normalize over the last axis, in float32 (Ba et al. 2016, arXiv:1607.06450).

    Args:
        values: `(tokens, hidden)`.
        gamma_beta: scale and shift, `(hidden,)` each.
        epsilon: added to the variance.

    Returns:
        `(tokens, hidden)` in the type of `values`.
    """
    gamma, beta = (ops.cast(tensor, "float32") for tensor in gamma_beta)
    wide = ops.cast(values, "float32")
    centered = wide - ops.mean(wide, axis=-1, keepdims=True)
    variance = ops.mean(ops.square(centered), axis=-1, keepdims=True)
    return ops.cast(centered * ops.rsqrt(variance + epsilon) * gamma + beta, values.dtype)
