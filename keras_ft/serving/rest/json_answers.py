"""Named arrays → the JSON of a predict answer, laid out as TF Serving prints it.

`predictions` (row format) keeps each instance's values on one line, `outputs` (columnar) gives each value its own; a
single named tensor drops its name. Follows tensorflow_serving/util/json_tensor.cc.
"""

import base64
import math
from collections.abc import Callable

import numpy as np

from keras_ft.serving.rest.json_text import decimal_texts, quote
from keras_ft.serving.status import StatusError, invalid

INDENT = 4
Brackets = Callable[[int], tuple[str, str, str]]


def predictions_json(outputs: dict[str, np.ndarray]) -> bytes:
    """Outputs that share their first dimension, one row per instance.

    Arguments:
        outputs: arrays `[N, …]`; strings as object arrays of bytes.

    Raises:
        StatusError: an output has no batch dimension, or another batch size than the rest.
    """
    names = sorted(outputs)
    _check_batch_size(outputs, names)
    depth = 2 if len(names) == 1 else 3
    columns = [_texts(name, outputs[name], 1, depth, lambda axis: ("[", ", ", "]")) for name in names]
    if len(names) == 1:
        rows = "[" + ", ".join(columns[0])
    else:
        keys = [f"\n{_indent(3)}{quote(name.encode())}: " for name in names]
        items = [",".join(map(str.__add__, keys, row)) for row in zip(*columns, strict=True)]
        rows = "[" + ",".join(f"\n{_indent(2)}{{{item}\n{_indent(2)}}}" for item in items)
    return _document("predictions", f"{rows}\n{_indent(1)}]")


def outputs_json(outputs: dict[str, np.ndarray]) -> bytes:
    """Outputs of any shapes, each printed whole.

    Arguments:
        outputs: arrays of any shape; strings as object arrays of bytes.
    """
    names = sorted(outputs)
    depth = 1 if len(names) == 1 else 2

    def brackets(axis: int) -> tuple[str, str, str]:
        line = f"\n{_indent(depth + axis + 1)}"
        return f"[{line}", f",{line}", f"\n{_indent(depth + axis)}]"

    texts = [_texts(name, outputs[name], 0, depth, brackets)[0] for name in names]
    if len(names) == 1:
        return _document("outputs", texts[0])
    members = (f"\n{_indent(2)}{quote(name.encode())}: {text}" for name, text in zip(names, texts, strict=True))
    return _document("outputs", f"{{{','.join(members)}\n{_indent(1)}}}")


def error_json(message: str) -> bytes:
    """The body of every answer that is an error."""
    return _document("error", quote(message.encode("utf-8", "surrogateescape")))


def _document(key: str, value: str) -> bytes:
    return f'{{\n{_indent(1)}"{key}": {value}\n}}'.encode("utf-8", "surrogateescape")


def _check_batch_size(outputs: dict[str, np.ndarray], names: list[str]) -> None:
    if not names:
        raise invalid("Cannot convert empty tensor map to JSON")
    batch = 0
    for name in names:
        shape = outputs[name].shape
        if not shape:
            raise invalid(f"Tensor name: {name} has no shape information ")
        if shape[0] < 1:
            raise invalid(f"Tensor name: {name} has invalid batch size: {shape[0]}")
        if batch not in (0, shape[0]):
            raise invalid(f"Tensor name: {name} has inconsistent batch size: {shape[0]} expecting: {batch}")
        batch = shape[0]


def _texts(name: str, array: np.ndarray, outer: int, depth: int, brackets: Brackets) -> list[str]:
    """The array printed below its first `outer` axes; `depth` is how deeply the surrounding JSON is nested."""
    texts = _value_texts(name, array.reshape(-1), depth + array.ndim - outer)
    for axis in range(array.ndim - 1, outer - 1, -1):
        size, count = array.shape[axis], math.prod(array.shape[:axis])
        opening, between, closing = brackets(axis - outer)
        if size:
            texts = [opening + between.join(texts[i : i + size]) + closing for i in range(0, count * size, size)]
        else:
            texts = ["[]"] * count
    return texts


def _value_texts(name: str, values: np.ndarray, depth: int) -> list[str]:
    if values.dtype in (np.float32, np.float64):
        return decimal_texts(values)
    if values.dtype == np.bool_:
        return ["true" if value else "false" for value in values.tolist()]
    if values.dtype.kind in "iu" and values.dtype != np.uint16:
        return [str(value) for value in values.tolist()]
    if values.dtype == object:
        if not name.endswith("_bytes"):
            return [quote(value) for value in values.tolist()]
        opening, closing = f'{{\n{_indent(depth + 1)}"b64": "', f'"\n{_indent(depth)}}}'
        return [opening + base64.b64encode(value).decode() + closing for value in values.tolist()]
    dtype = {"float16": "half"}.get(values.dtype.name, values.dtype.name)
    raise StatusError("INVALID_ARGUMENT", f"Failed to write JSON value for tensor type: {dtype}")


def _indent(depth: int) -> str:
    return " " * (INDENT * depth)
