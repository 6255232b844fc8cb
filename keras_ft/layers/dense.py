"""Dense layers and layer normalization over flat tokens, written so that TensorFlow fuses what it can."""

from typing import Any

import keras
from keras import ops

Tensor = Any

ACTIVATIONS = {
    "gelu": lambda x: ops.gelu(x, approximate=False),
    "gelu_new": lambda x: ops.gelu(x, approximate=True),
    "gelu_pytorch_tanh": lambda x: ops.gelu(x, approximate=True),
    "relu": ops.relu,
    "silu": ops.silu,
}


def dense(inputs: Tensor, kernel: Tensor, bias: Tensor, activation: str | None = None) -> Tensor:
    """`activation(inputs @ kernel + bias)`.

    Args:
        inputs: `(tokens, inputs)`.
        kernel: `(inputs, outputs)`.
        bias: `(outputs,)`.
        activation: a name of `ACTIVATIONS`.

    Returns:
        `(tokens, outputs)`.
    """
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        # TensorFlow's graph optimizer fuses a product with BiasAdd and GELU behind it, but not with a plain addition:
        # on CPUs the whole then costs little more than the product.
        outputs = tf.nn.bias_add(tf.matmul(inputs, kernel), bias)
    else:
        outputs = ops.matmul(inputs, kernel) + bias
    return ACTIVATIONS[activation](outputs) if activation else outputs


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
