"""Which JSON value can become which tensor, and the first one of a request that cannot, in TF Serving's words.

Rules, texts and the order in which values are looked at follow tensorflow_serving/util/json_tensor.cc.
"""

import base64
import binascii
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from keras_ft.serving.rest.json_text import encode, to_text
from keras_ft.serving.status import StatusError, invalid

_INT32 = (-(2**31), 2**31 - 1)
# The range a JSON number must have, which for the small types is int32's: their values wrap.
INTEGERS: dict[str, tuple[type[np.integer], int, int]] = {
    "int8": (np.int8, *_INT32),
    "uint8": (np.uint8, *_INT32),
    "int16": (np.int16, *_INT32),
    "int32": (np.int32, *_INT32),
    "int64": (np.int64, -(2**63), 2**63 - 1),
    "uint32": (np.uint32, 0, 2**32 - 1),
    "uint64": (np.uint64, 0, 2**64 - 1),
}
# The largest whole number taken without loss, and the largest number: of a float what is rounded to its largest, as
# answers write that in fewer digits than it has.
DECIMALS: dict[str, tuple[type[np.floating], int, float]] = {
    "float": (np.float32, 2**24 - 1, math.nextafter(2.0**128 - 2.0**103, 0.0)),
    "double": (np.float64, 2**53 - 1, float(np.finfo(np.float64).max)),
}


def raise_instances_error(instances: list, dtypes: Mapping[str, str], named: bool) -> None:
    """Raise the first error of `instances`, whose elements are named objects or not; return if there is none."""
    shapes: dict[str, tuple[int, ...]] = {}
    for i, element in enumerate(instances):
        if is_object(element) != named:
            expected, got = ("object", "list") if named else ("value/list", "object")
            raise invalid(f"Expecting {expected} but got {got} at item {i} of input list")
        for name, value in element.items() if named else [(min(dtypes), element)]:
            try:
                _raise_instance_error(value, name, dtypes, shapes)
            except StatusError as error:
                key = f" key: {name}" if named else ""
                raise invalid(f"Failed to process element: {i}{key} of 'instances' list. Error: {error}") from None
        if named and element.keys() != dtypes.keys():
            raise invalid(
                f"Failed to process element: {i} of 'instances' list. JSON object: {to_text(element)} "
                f"keys must be equal to: {','.join(sorted(dtypes))}"
            )


def _raise_instance_error(value: Any, name: str, dtypes: Mapping[str, str], shapes: dict[str, tuple[int, ...]]) -> None:
    if name not in dtypes:
        raise invalid(f"JSON object: does not have named input: {name}")
    shape = shape_of(value)
    raise_tensor_error(value, shape, dtypes[name])
    expected = shapes.setdefault(name, shape)
    if math.prod(expected) != math.prod(shape):
        raise invalid(f"Expecting tensor size: {math.prod(expected)} but got: {math.prod(shape)}")
    if expected != shape:
        raise invalid(f"Expecting shape {_shape_text(expected)} but got: {_shape_text(shape)}")


def raise_tensor_error(value: Any, shape: tuple[int, ...], dtype: str, level: int = 0) -> None:
    """Raise the first error of one nested list that should have this shape and dtype; return if there is none."""
    rank = len(shape)
    if not isinstance(value, list):
        if level != rank:
            raise invalid(
                f"JSON Value: {to_text(value)} found at incorrect level: {level + 1} in the JSON DOM. "
                f"Expected at level: {rank}"
            )
        _raise_value_error(value, dtype)
        return
    if level >= rank:
        raise invalid(f"Encountered list at unexpected level: {level} expected < {rank}")
    if len(value) != shape[level]:
        raise invalid(
            f"Encountered list at unexpected size: {len(value)} at level: {level} expected size: {shape[level]}"
        )
    for item in value:
        raise_tensor_error(item, shape, dtype, level + 1)


def _raise_value_error(value: Any, dtype: str) -> None:
    if dtype == "string" and isinstance(value, dict):
        base64_bytes(value)
    elif dtype == "string" and isinstance(value, str):
        try:
            encode(value)
        except UnicodeEncodeError:
            raise invalid("JSON Parse error: The surrogate pair in string is invalid.") from None
    elif isinstance(value, dict) or not _has_type(value, dtype):
        raise invalid(f"JSON Value: {to_text(value)} Type: {type_text(value)} is not of expected type: {dtype}")
    elif not fits(value, dtype):
        raise invalid(f"Cannot convert JSON value: {to_text(value)} to {dtype} without loss of precision.")


def _has_type(value: Any, dtype: str) -> bool:
    if dtype in DECIMALS:
        return type(value) in (int, float)
    if dtype in INTEGERS:
        return type(value) is int and INTEGERS[dtype][1] <= value <= INTEGERS[dtype][2]
    if dtype in ("bool", "string"):
        return type(value) is {"bool": bool, "string": str}[dtype]
    raise StatusError("UNIMPLEMENTED", f"Conversion of JSON Value: {to_text(value)} to type: {dtype}")


def fits(value: Any, dtype: str) -> bool:
    """Whether a number becomes this dtype without loss (of whole numbers) or overflow."""
    if dtype not in DECIMALS or (type(value) is float and not math.isfinite(value)):
        return True
    _, whole, most = DECIMALS[dtype]
    if type(value) is int and -(2**63) <= value < 2**64:
        return abs(value) <= whole
    return abs(value) <= most  # RapidJSON reads a whole number beyond 64 bits as a double


def base64_bytes(value: dict) -> bytes:
    """The bytes of `{"b64": …}`; raises `StatusError`."""
    if not _is_base64(value):
        raise invalid(f"JSON Value: {to_text(value)} not formatted correctly for base64 data")
    text = "".join(value["b64"].split()).rstrip("=")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise invalid("Unable to base64 decode") from None


def _is_base64(value: Any) -> bool:
    return isinstance(value, dict) and len(value) == 1 and isinstance(value.get("b64"), str)


def is_object(value: Any) -> bool:
    """Whether a value is an object of named values, not the bytes of `{"b64": …}`."""
    return isinstance(value, dict) and not _is_base64(value)


def shape_of(value: Any) -> tuple[int, ...]:
    """The shape a nested list has if it is rectangular, read along its first elements."""
    shape = []
    while isinstance(value, list):
        shape.append(len(value))
        value = value[0] if value else None
    return tuple(shape)


def _shape_text(shape: tuple[int, ...]) -> str:
    return f"[{','.join(map(str, shape))}]"


def type_text(value: Any) -> str:
    """RapidJSON's name for the type of a value."""
    if isinstance(value, bool):
        return str(value)
    kinds: dict[type, str] = {type(None): "Null", dict: "Object", list: "Array", str: "String"}
    return kinds.get(type(value), "Number")
