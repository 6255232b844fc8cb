import numpy as np
import pytest

from keras_ft.serving.batching.arrays import batch_kind, common_rows, join, merge, split, text_length


def strings(*rows):
    return np.array(rows, object)


def test_requests_without_a_common_first_dimension_have_no_rows():
    one, three = np.zeros(1), np.zeros((3, 2))
    assert common_rows({"a": three, "b": np.zeros(3)}) == 3
    unbatchable = [
        {},
        {"a": np.float32(1)},
        {"a": three, "b": one},
        {"a": one, "b": np.array(1)},
        {"a": np.zeros((0, 2))},
    ]
    assert [common_rows(arrays) for arrays in unbatchable] == [None] * 5


def test_kinds_differ_by_name_dtype_and_the_shape_of_a_row():
    arrays = [{"a": np.zeros((2, 3))}, {"a": np.zeros((9, 3))}, {"b": np.zeros((2, 3))}, {"a": np.zeros((2, 3), int)}]
    kinds = [batch_kind(it, pad=False) for it in arrays]
    assert kinds[0] == kinds[1]
    assert len(set(kinds)) == 3
    wide = {"a": np.zeros((2, 4))}
    assert batch_kind(wide, pad=False) != kinds[0]
    assert batch_kind(wide, pad=True) == batch_kind(arrays[0], pad=True)
    assert batch_kind({"a": np.zeros((2, 4, 1))}, pad=True) != batch_kind(wide, pad=True)


@pytest.mark.parametrize(
    ("arrays", "length"),
    [
        ({"x": np.zeros((4, 100))}, 0),
        ({"text": strings(b"ab", b"", "包裹".encode())}, 6),
        ({"question": strings(b"abc", b"d"), "context": strings(b"e", b"fghijk"), "k": np.ones(2)}, 7),
        ({"turns": strings([b"a", b"bc", b""], [b"d", b"", b""])}, 3),
        ({"turns": np.empty((2, 0), object)}, 0),
        ({"text": np.array(b"abc", object)}, 3),
        ({"a": strings(b"ab", b"c"), "b": strings(b"d")}, 4),
        ({"text": strings(None, 5)}, 0),
    ],
)
def test_the_length_is_that_of_the_longest_row(arrays, length):
    assert text_length(arrays) == length


def test_outputs_are_split_only_where_each_has_a_row_an_input_row():
    outputs = {"y": np.arange(5), "z": np.arange(10).reshape(5, 2)}
    first, second = split(outputs, [2, 3])
    assert first["y"].tolist() == [0, 1]
    assert second["z"].tolist() == [[4, 5], [6, 7], [8, 9]]
    assert split({**outputs, "total": np.array(3)}, [2, 3]) is None
    assert split({**outputs, "first": np.zeros(1)}, [2, 3]) is None


def test_inputs_of_other_widths_are_padded_as_tf_serving_pads_numbers_and_as_our_graphs_want_strings():
    narrow = {"turns": strings([b"hi"]), "x": np.array([[7, 8]])}
    wide = {"turns": strings([b"a", b"b", b"c"], [b"d", b"", b""]), "x": np.array([[1, 2, 3], [4, 5, 6]])}
    merged = merge([narrow, wide, {"turns": np.empty((1, 0), object), "x": np.empty((1, 0), int)}])
    assert merged["turns"].tolist() == [[b"hi", b"", b""], [b"a", b"b", b"c"], [b"d", b"", b""], [b""] * 3]
    assert merged["x"].tolist() == [[7, 8, 7], [1, 2, 3], [4, 5, 6], [0, 0, 0]]


def test_pieces_of_other_widths_are_filled_as_our_exports_fill():
    narrow = {
        "start": np.array([[0]]),
        "label": strings([b"PER"]),
        "score": np.array([[0.5]], np.float32),
        "truncated": np.array([[True]]),
    }
    wide = {
        "start": np.array([[1, 2]]),
        "label": strings([b"ORG", b"LOC"]),
        "score": np.array([[1, 1]], np.float32),
        "truncated": np.array([[True, True]]),
    }
    joined = join([narrow, wide])
    assert joined["start"].tolist() == [[0, -1], [1, 2]]
    assert joined["label"].tolist() == [[b"PER", b""], [b"ORG", b"LOC"]]
    assert joined["score"].tolist() == [[0.5, -1.0], [1.0, 1.0]]
    assert joined["score"].dtype == np.float32
    assert joined["truncated"].tolist() == [[True, False], [True, True]]
