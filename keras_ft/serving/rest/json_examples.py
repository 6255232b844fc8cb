"""The JSON of classify and regress requests → `tf.Example`s, and their answers, with TF Serving's rules and words.

Follows tensorflow_serving/util/json_tensor.cc.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from keras_ft.serving.rest.json_mismatch import base64_bytes, fits, is_object, type_text
from keras_ft.serving.rest.json_text import decimal_texts, encode, quote, to_text
from keras_ft.serving.status import invalid

LARGEST_INT64 = 2**63 - 1


def fill_input(request: dict[str, Any], request_input: Any) -> None:
    """Put the `examples` of a request, and its `context` if it has one, into an `Input` proto.

    Raises:
        StatusError: with TF Serving's code and message.
    """
    has_context = "context" in request
    if has_context:
        _fill_example(request["context"], request_input.example_list_with_context.context)
    listed = request_input.example_list_with_context if has_context else request_input.example_list
    if "examples" not in request:
        raise invalid(
            f"JSON Value: {to_text(request)} When method is classify, key 'examples' is expected and was not found"
        )
    examples = request["examples"]
    if not isinstance(examples, list):
        raise invalid(f"JSON Value: {to_text(request)} Expecting 'examples' value to be an list/array")
    if not examples:
        raise invalid(f"JSON Value: {to_text(request)} 'examples' value is an empty array")
    for example in examples:
        _fill_example(example, listed.examples.add())


def classifications_json(rows: list[list[tuple[bytes, float]]]) -> bytes:
    """`results` of a classify request: a list of `[label, score]` an example."""
    scores = iter(decimal_texts(np.array([score for row in rows for _, score in row], np.float32)))
    texts = ["[" + ", ".join(f"[{quote(label)}, {next(scores)}]" for label, _ in row) + "]" for row in rows]
    return _results(f"[{', '.join(texts)}\n    ]")


def regressions_json(values: np.ndarray) -> bytes:
    """`results` of a regress request: a number an example."""
    return _results(f"[{', '.join(decimal_texts(values))}]")


def _results(text: str) -> bytes:
    return f'{{\n    "results": {text}\n}}'.encode("utf-8", "surrogateescape")


def _fill_example(value: Any, example: Any) -> None:
    if not isinstance(value, dict):
        raise invalid(f"Example must be JSON object but got JSON {type_text(value)}")
    for name, content in value.items():
        feature = example.features.feature[name]
        for item in content if isinstance(content, list) else [content]:
            _add(item, name, feature)


def _add(item: Any, name: str, feature: Any) -> None:
    if item is None or isinstance(item, list) or is_object(item):
        raise invalid(f"Feature: {name} has element with unexpected JSON type: {type_text(item)}")
    # RapidJSON reads a whole number beyond 64 bits as a double.
    is_whole = isinstance(item, int) and -(2**63) <= item < 2**64
    kind = "bytes_list" if isinstance(item, dict | str) else "int64_list" if is_whole else "float_list"
    has = feature.WhichOneof("kind")
    if has not in (None, kind):
        kinds = f"{name} expecting type: {has.removesuffix('_list')}"
        raise invalid(f"Unexpected element type in feature: {kinds}")
    if kind == "float_list" and not fits(float(item), "float"):
        raise invalid(f"Cannot convert JSON value: {to_text(float(item))} to float without loss of precision.")
    if kind == "int64_list" and item > LARGEST_INT64:
        raise invalid(f"Feature: {name} has uint64 element. Only int64 is supported.")
    getattr(feature, kind).value.append(_VALUE[kind](item))


_VALUE: dict[str, Callable[[Any], Any]] = {
    "bytes_list": lambda item: base64_bytes(item) if isinstance(item, dict) else encode(item),
    "int64_list": int,  # also of true and false
    "float_list": float,
}
