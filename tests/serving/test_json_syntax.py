"""The errors of rapidjson/reader.h and their byte offsets."""

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_ft.serving.rest.json_syntax import check
from keras_ft.serving.rest.json_text import parse_object
from keras_ft.serving.status import StatusError

ERRORS = [
    (b" \n", "The document is empty.", 2),
    (b"{} x", "The document root must not be followed by other values.", 3),
    (b"{x", "Missing a name for object member.", 1),
    (b'{"a" 1}', "Missing a colon after a name of object member.", 5),
    (b'{"a": 1 "b"', "Missing a comma or } after an object member.", 8),
    (b'{"a": [1 2]}', "Missing a comma or ] after an array element.", 9),
    (b'{"a": nul}', "Invalid value.", 9),
    (b'{"a": True}', "Invalid value.", 6),
    (b'{"a": -}', "Invalid value.", 7),
    (b'{"a": Nan}', "Invalid value.", 8),
    (b'{"a": .5}', "Invalid value.", 6),
    (b'{"a": 01}', "Missing a comma or } after an object member.", 7),
    (b'{"a": 1.}', "Miss fraction part in number.", 8),
    (b'{"a": 1e+}', "Miss exponent in number.", 9),
    (b'{"a": -1e400}', "Number too big to be stored in double.", 6),
    (b'{"a": "\\x"}', "Invalid escape character in string.", 7),
    (b'{"a": "\\u12G4"}', "Incorrect hex digit after \\u escape in string.", 7),
    (b'{"a": "\\ud800"}', "The surrogate pair in string is invalid.", 7),
    (b'{"a": "\\udc00"}', "The surrogate pair in string is invalid.", 7),
    (b'{"a": "b', "Missing a closing quotation mark in string.", 8),
    (b'{"a": "\n"}', "Invalid encoding in string.", 7),
    ('{"é": x}'.encode(), "Invalid value.", 7),  # bytes, not characters
]


@pytest.mark.parametrize(("text", "what", "offset"), ERRORS)
def test_rapidjsons_error_and_its_offset_are_named(text, what, offset):
    with pytest.raises(StatusError) as error:
        check(text)
    assert error.value.message == f"JSON Parse error: {what} at offset: {offset}"


def test_rapidjsons_numbers_that_are_none_are_read_and_strings_left_alone():
    value = parse_object(b'{"a": [Inf, -Inf, NaN, -NaN, Infinity, -Infinity], "Inf": "-NaN \\" Inf"}')
    assert str(value) == "{'a': [inf, -inf, nan, nan, inf, -inf], 'Inf': '-NaN \" Inf'}"


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda it: st.lists(it) | st.dictionaries(st.text(), it),
    )
)
def test_what_is_json_passes_the_reader(value):
    check(json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass"))
    if "\\ud" not in json.dumps(value):
        check(json.dumps(value, indent=2).encode())


@given(st.binary(max_size=30) | st.text('{}[]",:.0123456789eE+-\\untrfalsINy \n', max_size=20).map(str.encode))
def test_any_body_is_an_object_or_a_status(body):
    with suppress(StatusError):
        assert isinstance(parse_object(body), dict)
