"""The micro-batches that a replica's part of a step is joined of."""

from collections.abc import Mapping
from typing import Any

from keras import ops

from keras_ft.batch import TokenBatch
from keras_ft.batch_fields import AXIS_OF_FIELD, Axis

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
    sizes = {axis: tensors.pop(f"micro_{axis}s") for axis in ("token", "sequence", "example")}
    axis_of = {**AXIS_OF_FIELD, **axes}
    ends = {axis: ops.cumsum(size) for axis, size in sizes.items()}

    def cut(name: str, tensor: Tensor) -> Tensor:
        axis = axis_of.get(name, "example")
        return tensor[ends[axis][number] - sizes[axis][number] : ends[axis][number]]

    return TokenBatch.from_tensors({name: cut(name, tensor) for name, tensor in tensors.items()}, axes)
