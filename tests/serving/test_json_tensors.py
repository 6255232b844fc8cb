import json
import math
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from keras_ft.serving.rest.json_answers import outputs_json, predictions_json
from keras_ft.serving.rest.json_tensors import DECIMALS, INTEGERS, parse_predict_request
from keras_ft.serving.status import StatusError

NUMPY = {**{name: it[0] for name, it in {**INTEGERS, **DECIMALS}.items()}, "bool": np.bool_}
SHAPES = npst.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=3)


def parse(request, **dtypes):
    return parse_predict_request(json.dumps(request).encode(), lambda name: dtypes)


@st.composite
def arrays(draw):
    dtype = draw(st.sampled_from([*NUMPY, "string"]))
    if dtype != "string":
        return dtype, draw(npst.arrays(NUMPY[dtype], SHAPES))
    shape = draw(SHAPES)
    values = np.empty(math.prod(shape), object)
    values[:] = [draw(st.binary(max_size=5)) for _ in values]
    return dtype, values.reshape(shape)


def same(read, written):
    assert (read.dtype, read.shape) == (written.dtype, written.shape)
    np.testing.assert_array_equal(read, written)  # NaN equals NaN


@given(arrays(), st.booleans())
def test_every_tensor_survives_the_way_through_json_bit_for_bit(tensor, rows):
    dtype, array = tensor
    text = (predictions_json if rows else outputs_json)({"x_bytes": array})
    value = json.loads(text)["predictions" if rows else "outputs"]
    request = parse({"instances" if rows else "inputs": value}, x_bytes=dtype)
    assert request.rows == rows
    same(request.inputs["x_bytes"], array)


@given(arrays(), arrays())
def test_several_named_tensors_survive_in_rows_and_columns(first, second):
    outputs = {"a_bytes": first[1], "b_bytes": second[1]}
    dtypes = {"a_bytes": first[0], "b_bytes": second[0]}
    columns = parse({"inputs": json.loads(outputs_json(outputs))["outputs"]}, **dtypes)
    rows = min(len(first[1]), len(second[1]))
    outputs = {name: array[:rows] for name, array in outputs.items()}
    instances = parse({"instances": json.loads(predictions_json(outputs))["predictions"]}, **dtypes)
    for name, array in outputs.items():
        same(columns.inputs[name][:rows], array)
        same(instances.inputs[name], array)


def test_the_largest_float_survives_and_what_is_larger_is_refused():
    largest = np.array([np.finfo(np.float32).max, np.finfo(np.float32).min])
    values = json.loads(outputs_json({"x": largest.astype("float32")}))["outputs"]
    same(parse({"inputs": values}, x="float").inputs["x"], largest.astype("float32"))
    with pytest.raises(StatusError, match="without loss of precision"):
        parse({"inputs": [3.4028236e38]}, x="float")


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_every_text_arrives_as_its_utf8(text):
    read = parse({"instances": [text]}, text="string").inputs["text"]
    assert read.tolist() == [text.encode()]
    assert json.loads(outputs_json({"text": read})) == {"outputs": [text]}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["x", "b64", "y"]), inner, max_size=2),
    max_leaves=8,
)


@given(
    json_values, st.sampled_from(["instances", "inputs"]), st.sampled_from([*NUMPY, "string", "half"]), st.booleans()
)
def test_whatever_is_sent_becomes_a_tensor_or_a_status(value, key, dtype, two):
    dtypes = {"x": dtype, "y": "float"} if two else {"x": dtype}
    with suppress(StatusError):
        inputs = parse({key: value}, **dtypes).inputs
        assert all(array.dtype == NUMPY.get(dtypes[name], object) for name, array in inputs.items())


@pytest.mark.parametrize(
    ("dtype", "value"),
    [
        ("int32", 2**31), ("int32", -(2**31) - 1), ("int32", 1.0), ("int8", 2**31), ("int64", 2**63),
        ("uint32", -1), ("uint32", 2**32), ("uint64", -1), ("uint64", 2**64), ("bool", 1), ("float", True),
        ("float", 2**24), ("float", -(2**24)), ("float", 3.5e38), ("double", 2**53), ("string", 1), ("string", None),
    ],
)  # fmt: skip
def test_a_number_that_does_not_fit_is_refused(dtype, value):
    with pytest.raises(StatusError, match=r"is not of expected type|without loss of precision") as error:
        parse({"inputs": [value]}, x=dtype)
    assert error.value.code == "INVALID_ARGUMENT"


@pytest.mark.parametrize(
    ("dtype", "value", "expected"),
    [
        ("int8", 300, 44),  # TF Serving checks for 32 bits, then casts
        ("uint8", -1, 255),
        ("int64", -(2**63), -(2**63)),
        ("uint64", 2**64 - 1, 2**64 - 1),
        ("float", 2**24 - 1, 2.0**24 - 1),
        ("float", 2**70, 2.0**70),  # beyond 64 bits it is read as a double
        ("double", 10**300, 1e300),
        ("double", -(2**53) + 1, -(2.0**53) + 1),
    ],
)
def test_a_number_that_fits_is_taken(dtype, value, expected):
    assert parse({"inputs": value}, x=dtype).inputs["x"] == expected


def test_a_dtype_json_cannot_express_is_unimplemented():
    with pytest.raises(StatusError, match="Conversion of JSON Value: 1 to type: half") as error:
        parse({"inputs": 1}, x="half")
    assert error.value.code == "UNIMPLEMENTED"


def test_a_signature_without_inputs_is_named():
    with pytest.raises(StatusError, match="Failed to get input map for signature: DEFAULT"):
        parse({"inputs": 1})


def test_empty_dimensions_keep_their_shape():
    assert parse({"inputs": [[], []]}, x="float").inputs["x"].shape == (2, 0)
    assert (
        outputs_json({"x": np.zeros((2, 0), np.float32)}) == b'{\n    "outputs": [\n        [],\n        []\n    ]\n}'
    )
    with pytest.raises(StatusError, match="Tensor name: x has invalid batch size: 0"):
        predictions_json({"x": np.zeros((0, 2), np.float32)})
