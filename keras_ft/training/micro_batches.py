"""The micro-batches that a replica's part of a step is joined of."""

from collections.abc import Mapping
from typing import Any

from keras import ops

from keras_ft.batch import TOKEN_FIELDS, Axis, TokenBatch

Tensor = Any


def micro_batch(tensors: dict[str, Tensor], axes: Mapping[str, Axis], number: Any, count: int) -> TokenBatch:
    """One of `count` micro-batches, as `data.pipeline.batches` joins them.

    Args:
        tensors: of all micro-batches.
        axes: the axis of each feature.
        number: which one, from 0; a tensor where it is looped over.
        count: how many there are; one alone is not joined to anything.
    """
    if count == 1:
        return TokenBatch.from_tensors(tensors, axes)
    if "micro_tokens" not in tensors:  # stacked
        return TokenBatch.from_tensors({name: tensor[number] for name, tensor in tensors.items()}, axes)
    tensors = dict(tensors)
    sizes = {"token": tensors.pop("micro_tokens"), "example": tensors.pop("micro_examples")}
    ends = {axis: ops.cumsum(size) for axis, size in sizes.items()}

    def cut(name: str, tensor: Tensor) -> Tensor:
        axis = "token" if name in TOKEN_FIELDS or axes.get(name) == "token" else "example"
        return tensor[ends[axis][number] - sizes[axis][number] : ends[axis][number]]

    return TokenBatch.from_tensors({name: cut(name, tensor) for name, tensor in tensors.items()}, axes)
