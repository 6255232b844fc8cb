"""`TensorProto`s ↔ numpy arrays, strings as object arrays of bytes."""

import math
from typing import Any

import numpy as np

from keras_ft.serving.status import invalid

MOST_BYTES = 2**30  # of a tensor; a few bytes of a message can ask for any number of equal values


def to_array(proto: Any, name: str) -> np.ndarray:
    """The tensor of a request.

    Arguments:
        proto: a `TensorProto`.
        name: of the input, for the error.

    Raises:
        StatusError: shape, type and values do not fit together, or the tensor is too large.
    """
    import tensorflow as tf

    try:
        dtype = np.dtype(tf.as_dtype(proto.dtype).as_numpy_dtype)
        shape = [dim.size for dim in proto.tensor_shape.dim]
    except (TypeError, KeyError):
        raise invalid(f"tensor parsing error: {name}") from None
    if proto.tensor_shape.unknown_rank or min(shape, default=0) < 0:
        raise invalid(f"tensor parsing error: {name}")
    if math.prod(shape) * dtype.itemsize > MOST_BYTES:
        raise invalid(f"tensor parsing error: {name} is larger than {MOST_BYTES // 2**20} MiB")
    try:
        return tf.make_ndarray(proto)
    except (ValueError, TypeError, KeyError, OverflowError):
        raise invalid(f"tensor parsing error: {name}") from None


def to_proto(array: np.ndarray) -> Any:
    """The `TensorProto` of an output."""
    import tensorflow as tf

    return tf.make_tensor_proto(array, shape=array.shape)
