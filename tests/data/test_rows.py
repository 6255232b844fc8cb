"""Records → rows under the task's column names, each value checked."""

import json

import numpy as np
import pytest

from keras_ft.data.readers import find_sources
from keras_ft.data.rows import Columns, Rows, pick_rows, read_chunks
from keras_ft.errors import RequestError


@pytest.fixture
def jsonl(tmp_path):
    def write(name, *records):
        path = tmp_path / name
        path.write_text("\n".join(json.dumps(record) for record in records), encoding="utf-8")
        return path

    return write


def chunks_of(paths, columns=None, required=("text", "label"), text_columns=("text",), **named):
    return list(read_chunks(find_sources(paths), Columns(columns or {}, required, text_columns), **named))


def read(*arguments, **named):
    (rows,) = chunks_of(*arguments, **named)
    return rows


def error_of(*arguments, **named):
    with pytest.raises(RequestError) as caught:
        read(*arguments, **named)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_columns_get_the_tasks_names(jsonl):
    path = jsonl("a.jsonl", {"sentence": "好看", "sentiment": 1, "id": 7}, {"sentence": "👎", "sentiment": 0, "id": 8})
    rows = read(path, {"text": "sentence", "label": "sentiment"})
    assert rows == Rows({"text": ["好看", "👎"], "label": [1, 0]}, [1, 2], "a.jsonl")
    assert len(rows) == 2


def test_rows_of_several_files_know_their_own_file_and_line(jsonl):
    first = jsonl("a.jsonl", {"text": "مرحبا", "label": "x"}, {"text": "b", "label": "y"})
    second = jsonl("b.jsonl", {"text": "c", "label": "x"})
    chunks = chunks_of([first, second])
    assert [rows.columns["text"] for rows in chunks] == [["مرحبا", "b"], ["c"]]
    places = [rows.where(i) for rows in chunks for i in range(len(rows))]
    assert places == ["a.jsonl line 1", "a.jsonl line 2", "b.jsonl line 1"]


def test_chunks_hold_so_many_rows_and_lose_none(jsonl):
    path = jsonl("a.jsonl", *({"text": f"t{i}", "label": i} for i in range(7)))
    chunks = chunks_of(path, rows_at_once=3)
    assert [len(rows) for rows in chunks] == [3, 3, 1]
    assert [label for rows in chunks for label in rows.columns["label"]] == list(range(7))


def test_rows_that_are_refused_are_left_out_and_named(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "a", "label": 0}\n{"text": \n{"text": "", "label": 1}\n{"text": "d", "label": 1}\n')
    refused = []
    (rows,) = chunks_of(path, refuse=refused.append)
    assert rows.columns["text"] == ["a", "d"]
    assert [str(error).split(":")[0][:14] for error in refused] == ["a.jsonl line 2", "a.jsonl line 3"]


def test_picked_rows_come_in_the_order_asked_for_and_reading_stops_behind_them(jsonl):
    path = jsonl("a.jsonl", *({"text": f"t{i}", "label": i} for i in range(9)))

    def chunks():
        yield from chunks_of(path, rows_at_once=2)[:4]
        raise AssertionError("read too far")

    assert pick_rows(chunks(), [6, 0, 3, 6])["text"] == ["t6", "t0", "t3", "t6"]


def test_selected_rows_still_know_where_they_came_from(jsonl):
    path = jsonl("a.jsonl", *({"text": f"t{i}", "label": i} for i in range(5)))
    chosen = read(path).select(np.array([4, 1]))
    assert chosen.columns == {"text": ["t4", "t1"], "label": [4, 1]}
    assert [chosen.where(0), chosen.where(1)] == ["a.jsonl line 5", "a.jsonl line 2"]


def test_absent_column_lists_the_files_columns_and_the_nearest(jsonl):
    message = error_of(jsonl("a.jsonl", {"text": "a", "lable": "x"}))
    assert message == "a.jsonl line 1 has no 'label'; its columns are 'text', 'lable'; did you mean 'lable'?"


def test_absent_column_without_a_near_name_says_which_key_to_set(jsonl):
    message = error_of(jsonl("a.jsonl", {"text": "a", "y": "x"}))
    assert message.endswith("its columns are 'text', 'y'; name the one that holds it in data.columns.label")
    assert "it has no columns" in error_of(jsonl("b.jsonl", {}))


@pytest.mark.parametrize("value", [None, "", " \t\u3000"])
def test_unfilled_required_column_names_the_line(jsonl, value):
    path = jsonl("train.jsonl", *[{"text": "a", "label": "x"}] * 16, {"text": "a", "label": value})
    assert error_of(path) == "train.jsonl line 17 has no 'label': it is empty; fill it in or delete the line"


def test_zero_false_and_the_empty_list_count_as_filled(jsonl):
    path = jsonl("a.jsonl", *({"text": "a", "label": value} for value in (0, False, [])))
    assert read(path).columns["label"] == [0, False, []]


@pytest.mark.parametrize(
    ("value", "said"), [(12, "a number (12)"), (True, "a boolean (True)"), (["a"], "a list (['a'])")]
)
def test_text_that_is_no_string_names_line_and_kind(jsonl, value, said):
    path = jsonl("a.jsonl", {"text": "a", "label": 0}, {"text": value, "label": 0})
    assert error_of(path) == f"a.jsonl line 2: 'text' is {said}, not a string; put it in quotes"


def test_half_an_emoji_is_refused_before_tensorflow_chokes_on_it(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "ok \\ud83d\\ude00", "label": 0}\n{"text": "cut \\ud83d", "label": 0}')
    assert "a.jsonl line 2: 'text' is not valid Unicode (U+D83D at character 5" in error_of(path)


def test_optional_column_may_be_absent_or_have_gaps(jsonl):
    path = jsonl("a.jsonl", {"text": "a", "title": "t"}, {"text": "b"}, {"text": "c", "title": ""})
    rows = read(path, {"label": "label", "title": "title"}, required=["text"])
    assert rows.columns == {"text": ["a", "b", "c"], "title": ["t", None, None]}


def test_empty_list_of_files_is_refused():
    assert error_of([]) == "the list of data files is empty; name at least one"
