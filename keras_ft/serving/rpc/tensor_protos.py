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
        array = tf.make_ndarray(proto)
    except (ValueError, TypeError, KeyError, OverflowError):
        raise invalid(f"tensor parsing error: {name}") from None
    if array.dtype == object and not proto.string_val:
        array.fill(b"")  # TensorFlow makes strings of Python of values that are not there
    return array


def to_proto(array: np.ndarray) -> Any:
    """The `TensorProto` of an array: its values in the field of its type, where clients in other languages read them.

    So TF Serving answers by default; `tf.make_tensor_proto` would put the bytes of numbers into `tensor_content`.
    """
    import tensorflow as tf
    from tensorflow.core.framework.tensor_pb2 import TensorProto

    dtype = tf.as_dtype(array.dtype)
    field = _FIELDS.get(dtype.name)
    if field is None:
        return tf.make_tensor_proto(array, shape=array.shape)
    proto = TensorProto(dtype=dtype.as_datatype_enum)
    proto.tensor_shape.SetInParent()  # of a scalar, too
    for size in array.shape:
        proto.tensor_shape.dim.add(size=size)
    values = np.ravel(array.view(np.uint16) if field == "half_val" else array).tolist()
    getattr(proto, field).extend(map(tf.compat.as_bytes, values) if field == "string_val" else values)
    return proto


_FIELDS = {
    "float32": "float_val",
    "float64": "double_val",
    **dict.fromkeys(("int32", "int16", "int8", "uint16", "uint8"), "int_val"),
    "int64": "int64_val",
    "bool": "bool_val",
    "string": "string_val",
    **dict.fromkeys(("float16", "bfloat16"), "half_val"),
    "uint32": "uint32_val",
    "uint64": "uint64_val",
}
