"""Activations by the names that checkpoints give them.

In training the GELUs bring their own gradients: half the passes over memory, and one fixed order of summation. (Left
to automatic differentiation, the gradient of the tanh form is a sum of many terms, which TensorFlow's graph optimizer
adds up in whatever order they come, so that two equal runs differ in their last bits.)

Hendrycks and Gimpel 2016, arXiv:1606.08415.
"""

import math
from collections.abc import Callable
from typing import Any

from keras import ops

from keras_ft.layers.gradient import Gradient, with_gradient

Tensor = Any
ROOT_2_OVER_PI = math.sqrt(2 / math.pi)
CUBIC = 0.044715

INFERENCE: dict[str, Callable[[Tensor], Tensor]] = {
    "gelu": lambda x: ops.gelu(x, approximate=False),
    "gelu_new": lambda x: ops.gelu(x, approximate=True),
    "gelu_pytorch_tanh": lambda x: ops.gelu(x, approximate=True),
    "relu": ops.relu,
    "silu": ops.silu,
}


def activate(values: Tensor, name: str, training: bool) -> Tensor:
    """Apply an activation.

    Args:
        values: a tensor of any shape.
        name: a key of `INFERENCE`.
        training: whether a gradient will be asked for; the values are the same.
    """
    if training and name.startswith("gelu"):
        return gelu_with_gradient(values) if name == "gelu" else tanh_gelu_with_gradient(values)
    return INFERENCE[name](values)


@with_gradient
def gelu_with_gradient(x: Tensor) -> tuple[Tensor, Gradient]:
    """`x Φ(x)`, whose derivative is `Φ(x) + x φ(x)`; computed in float32."""
    wide = ops.cast(x, "float32")
    phi = 0.5 + 0.5 * ops.erf(wide * math.sqrt(0.5))  # the normal distribution function

    def gradient(above: Tensor) -> Tensor:
        above = ops.cast(above, "float32")
        density = ops.exp(-0.5 * ops.square(wide)) * (1 / math.sqrt(2 * math.pi))
        return ops.cast(above * (phi + wide * density), x.dtype)

    return ops.cast(wide * phi, x.dtype), gradient


@with_gradient
def tanh_gelu_with_gradient(x: Tensor) -> tuple[Tensor, Gradient]:
    """`x (1 + tanh u) / 2` with `u = √(2/π) (x + 0.044715 x³)`; computed in float32."""
    wide = ops.cast(x, "float32")
    square = ops.square(wide)
    tanh = ops.tanh(ROOT_2_OVER_PI * wide * (1 + CUBIC * square))

    def gradient(above: Tensor) -> Tensor:
        above = ops.cast(above, "float32")
        slope = ROOT_2_OVER_PI * (1 + 3 * CUBIC * square)
        return ops.cast(above * (0.5 * (1 + tanh) + 0.5 * wide * (1 - ops.square(tanh)) * slope), x.dtype)

    return ops.cast(0.5 * wide * (1 + tanh), x.dtype), gradient
