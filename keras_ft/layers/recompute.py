"""Activation checkpointing: memory for time (Chen et al. 2016, arXiv:1604.06174)."""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from keras_ft.layers.task_model import map_tensors

Tensor = Any


def recomputed(function: Callable[[Any, Tensor], Tensor], weights: Any, hidden: Tensor) -> Tensor:
    """`function(weights, hidden)`, computed again in the backward pass, so that nothing within it is kept until then.

    Gradients reach `hidden` and every tensor of `weights`. What else the function uses gets none.

    Args:
        function: from the weights of a layer and its input to its output; must draw the same each time.
        weights: a view of the layer.
        hidden: the layer's input.
    """
    tensors: list[Tensor] = []
    map_tensors(weights, lambda name, tensor: tensors.append(tensor))

    def over_tensors(hidden: Tensor, *tensors: Tensor) -> Tensor:
        given = iter(tensors)
        return function(map_tensors(weights, lambda name, _: next(given)), hidden)

    output = keras.remat(over_tensors)(hidden, *tensors)
    # A reshape's gradient is dense; TensorFlow cannot recompute from a sparse one, such as that of a gather of rows.
    return ops.reshape(output, ops.shape(output))
