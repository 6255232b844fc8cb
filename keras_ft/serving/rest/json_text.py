"""JSON text as TF Serving's parser (RapidJSON, accepting NaN and Inf) reads it and its writer prints it.

Python's parser does the work; where it refuses a text, `json_syntax` names the error.
"""

import json
import math
import re
from array import array
from typing import Any

import numpy as np

from keras_ft.serving.rest.json_syntax import check
from keras_ft.serving.status import invalid

_INF = re.compile(r'("(?:[^"\\]|\\.)*")|-NaN|(-?)Inf(?:inity)?')
_ESCAPE = re.compile(rb"\\(?:u[dD][89abAB]..\\u[dD][c-fC-F]|(?P<lone>u[dD][89a-fA-F])|.)", re.DOTALL)
_WHOLE = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}
_quote = json.JSONEncoder(ensure_ascii=False).encode


def parse_object(body: bytes) -> dict[str, Any]:
    """The JSON object a request body holds.

    Bytes that are not UTF-8 come back as surrogate escapes, so that `encode` gives them to the model unchanged.

    Raises:
        StatusError: the body is no JSON (the message names error and byte offset), or no object.
    """
    if not body:
        raise invalid("JSON Parse error: The document is empty")
    text = body.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape")
    try:
        try:
            value = json.loads(text)
            if any(escape["lone"] for escape in _ESCAPE.finditer(body)):
                check(body)  # Python reads half a surrogate pair, which no UTF-8 can hold
        except ValueError:
            check(body)
            value = json.loads(_INF.sub(_spelled_out, text))
    except RecursionError:
        raise invalid("JSON Parse error: The document is nested too deeply.") from None
    if not isinstance(value, dict):
        raise invalid(f"JSON Value: {to_text(value)} Is not object")
    return value


def encode(text: str) -> bytes:
    """The bytes of a parsed JSON string."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogateescape")


def to_text(value: Any) -> str:
    """A parsed JSON value as an error message quotes it: indented by four, a lone number as a float prints."""
    if isinstance(value, float):
        single = abs(value) <= float(np.finfo(np.float32).max)
        return decimal_texts(np.array([value], np.float32 if single else np.float64))[0]
    return json.dumps(value, indent=4, ensure_ascii=False)


def quote(text: bytes) -> str:
    """Bytes of a string tensor as a JSON string; bytes that are not UTF-8 pass through as they are."""
    return _quote(text.decode("utf-8", "surrogateescape"))


def decimal_texts(values: np.ndarray) -> list[str]:
    """How each float is printed: six digits where they suffice to read it back, else all (9 or 17); 2 is `2.0`.

    Arguments:
        values: `[n]` float32 or float64.
    """
    items = values.tolist()
    texts = ("%g " * len(items) % tuple(items)).split()
    kind, digits = ("f", 9) if values.dtype == np.float32 else ("d", 17)
    read_back = array(kind, map(float, texts))  # numpy takes longer for the few values of one answer
    for i, (found, item) in enumerate(zip(read_back, items, strict=True)):
        if found != item and math.isfinite(item):
            texts[i] = f"{item:.{digits}g}"
    return [text if "." in text or "e" in text else _WHOLE.get(text) or text + ".0" for text in texts]


def _spelled_out(number: re.Match) -> str:
    """Inf and -NaN, which RapidJSON reads too, as Python's parser wants them; strings are left alone."""
    string, sign = number.groups()
    return string or ("NaN" if sign is None else f"{sign}Infinity")
