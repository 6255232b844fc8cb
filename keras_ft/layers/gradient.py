"""Functions that bring their own gradient, written once for every backend."""

import functools
from collections.abc import Callable
from typing import Any

from keras import ops

Tensor = Any
Gradient = Callable[[Tensor], Tensor]


def with_gradient(function: Callable[..., tuple[Tensor, Callable[[Tensor], Any]]]) -> Callable[..., Tensor]:
    """Let automatic differentiation use the gradient that a function returns beside its value.

    Args:
        function: tensors → their value, and a function from the gradient at that value to the one at the tensor, or to
            a tuple of those at the tensors.
    """

    def adapted(*values: Tensor) -> tuple[Tensor, Callable[..., Any]]:
        output, gradient = function(*values)

        def of(*upstreams: Tensor, upstream: Tensor | None = None) -> Any:  # backends name it differently
            return gradient(upstreams[0] if upstream is None else upstream)

        return output, of

    return functools.wraps(function)(ops.custom_gradient(adapted))
