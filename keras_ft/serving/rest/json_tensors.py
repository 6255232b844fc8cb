"""The JSON of a predict request → named arrays, with TF Serving's rules and its words for what is wrong.

Rules and texts follow tensorflow_serving/util/json_tensor.cc. A request is first taken to be right and converted a
whole nesting level at a time; only when something does not fit is it walked value by value to find the first error.
"""

from collections.abc import Callable, Mapping
from itertools import chain
from typing import Any, NamedTuple

import numpy as np

from keras_ft.serving.rest.json_mismatch import (
    DECIMALS,
    INTEGERS,
    base64_bytes,
    fits,
    is_object,
    raise_instances_error,
    raise_tensor_error,
    shape_of,
)
from keras_ft.serving.rest.json_syntax import check
from keras_ft.serving.rest.json_text import encode, parse_object, to_text
from keras_ft.serving.status import StatusError, invalid


class JsonPredictRequest(NamedTuple):
    """A predict request: `rows` says that it came as `instances` and is to be answered with `predictions`."""

    signature_name: str
    inputs: dict[str, np.ndarray]
    rows: bool


def parse_predict_request(body: bytes, input_dtypes: Callable[[str], Mapping[str, str]]) -> JsonPredictRequest:
    """Read the body of a `:predict` request.

    Arguments:
        body: the JSON text.
        input_dtypes: given the signature name of the request ("" for the default), the dtype of each named input;
            it is called once the text has been parsed, and may raise `StatusError`.

    Returns:
        The signature name, one array per input (strings as object arrays of bytes), and the format.

    Raises:
        StatusError: with TF Serving's code and message.
    """
    request = parse_object(body)
    signature_name = signature_name_of(request)
    dtypes = input_dtypes(signature_name)
    if not dtypes:
        raise invalid(f"Failed to get input map for signature: {signature_name or 'DEFAULT'}")
    if "instances" in request and "inputs" in request:
        raise _format_error(
            request, "Not formatted correctly expecting only one of 'inputs' or 'instances' keys to exist "
        )
    if "instances" in request:
        instances = request["instances"]
        if not isinstance(instances, list):
            raise _format_error(request, "Excepting 'instances' to be an list/array")
        if not instances:
            raise _format_error(request, "No values in 'instances' array")
        inputs = _from_instances(instances, dtypes)
    elif "inputs" in request:
        inputs = _from_inputs(request["inputs"], dtypes)
    else:
        raise invalid("Missing 'inputs' or 'instances' key")
    if b"Inf" not in body and any(array.dtype.kind == "f" and np.isinf(array).any() for array in inputs.values()):
        check(body)  # a number such as 1e999, which Python reads as infinity
    return JsonPredictRequest(signature_name, inputs, "instances" in request)


def signature_name_of(request: dict[str, Any]) -> str:
    """The `signature_name` of a request, "" if it has none; raises `StatusError` if it is no string."""
    name = request.get("signature_name", "")
    if not isinstance(name, str):
        raise _format_error(request, "not formatted correctly. 'signature_name' key must be a string value.")
    return name


def _from_instances(instances: list, dtypes: Mapping[str, str]) -> dict[str, np.ndarray]:
    first = min(dtypes)
    if not isinstance(instances[0], dict) and len(dtypes) > 1:
        raise invalid(
            "instances is a plain list, but expecting list of objects as multiple input tensors required as per "
            "tensorinfo_map"
        )
    named = is_object(instances[0])
    if not named:
        array = _array(instances, dtypes[first])
        if array is not None:
            return {first: array}
    elif all(is_object(it) and it.keys() == dtypes.keys() for it in instances):
        arrays = {name: _array([it[name] for it in instances], dtype) for name, dtype in dtypes.items()}
        if not any(array is None for array in arrays.values()):
            return {name: array for name, array in arrays.items() if array is not None}
    raise_instances_error(instances, dtypes, named)
    raise invalid(f"tensor parsing error: {first}")  # more dimensions than an array has


def _from_inputs(inputs: Any, dtypes: Mapping[str, str]) -> dict[str, np.ndarray]:
    if not is_object(inputs):
        if len(dtypes) > 1:
            raise invalid(
                "inputs is a plain value/list, but expecting an object as multiple input tensors required as per "
                "tensorinfo_map"
            )
        inputs = {min(dtypes): inputs}
    arrays = {}
    for name, dtype in dtypes.items():
        if name not in inputs:
            raise invalid(f"Missing named input: {name} in 'inputs' object.")
        array = _array(inputs[name], dtype)
        if array is None:
            raise_tensor_error(inputs[name], shape_of(inputs[name]), dtype)
            raise invalid(f"tensor parsing error: {name}")
        arrays[name] = array
    return arrays


def _array(value: Any, dtype: str) -> np.ndarray | None:
    """A JSON value as an array of that dtype, or None if it is not of that type or not rectangular."""
    shape = shape_of(value)
    leaves = [value]
    for size in shape:
        if not all(type(it) is list and len(it) == size for it in leaves):
            return None
        leaves = list(chain.from_iterable(leaves))
    flat = _flat_array(leaves, dtype)
    try:
        return None if flat is None else flat.reshape(shape)
    except ValueError:  # more dimensions than numpy has
        return None


def _flat_array(leaves: list, dtype: str) -> np.ndarray | None:
    kinds = set(map(type, leaves))
    if dtype == "string":
        return _strings(leaves) if kinds <= {str, dict} else None
    if dtype in DECIMALS:
        number, whole, _ = DECIMALS[dtype]
        if not kinds <= {int, float}:
            return None
        if int in kinds and not all(fits(it, dtype) for it in leaves if type(it) is int and abs(it) > whole):
            return None
        array = np.array(leaves, np.float64)
        if number is np.float64:
            return array
        too_big = np.isfinite(array) & (np.abs(array) > DECIMALS[dtype][2])
        return None if too_big.any() else array.astype(number)
    if dtype in INTEGERS:
        integer, least, most = INTEGERS[dtype]
        if not kinds <= {int} or (leaves and not least <= min(leaves) <= max(leaves) <= most):
            return None
        return np.array(leaves, np.uint64 if dtype == "uint64" else np.int64).astype(integer)
    if dtype == "bool":
        return np.array(leaves, np.bool_) if kinds <= {bool} else None
    return None


def _strings(leaves: list) -> np.ndarray | None:
    array = np.empty(len(leaves), object)
    try:
        array[:] = [encode(it) if type(it) is str else base64_bytes(it) for it in leaves]
    except (StatusError, UnicodeEncodeError):
        return None
    return array


def _format_error(request: dict[str, Any], what: str) -> StatusError:
    return invalid(f"JSON Value: {to_text(request)} {what}")
