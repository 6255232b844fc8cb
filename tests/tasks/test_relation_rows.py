"""Rows of relations in both shapes become marked texts; malformed ones are refused with file and line."""

import json

import pytest

from keras_ft.data.malformed import Skipped
from keras_ft.data.readers import find_sources
from keras_ft.errors import RequestError
from keras_ft.tasks.encode import read_examples
from keras_ft.tasks.relation import Relation
from keras_ft.tasks.relation_rows import marked, unmarked

MARKED = "The <e1> church </e1> has six <e2>portals</e2>."
PLAIN = "今天 the church"


def read(path, refuse=None) -> list[dict]:
    arguments = [] if refuse is None else [refuse]
    (rows,) = read_examples(Relation, find_sources(str(path), "train"), {}, *arguments)
    return [{name: values[i] for name, values in rows.columns.items()} for i in range(len(rows))]


def test_both_shapes_become_one(tmp_path):
    lines = [
        {"text": MARKED, "label": "a"},
        {"text": PLAIN, "head": [0, 2], "tail": {"start": 7, "end": 13, "text": "church"}, "label": "b"},
        {"text": PLAIN, "head": [7, 13], "tail": [1, 2], "label": 3},
        {"text": MARKED, "head": None, "tail": None, "label": "a"},
    ]
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(json.dumps(line, ensure_ascii=False) for line in lines), encoding="utf-8")
    expected = [MARKED, "<e1>今天</e1> the <e2>church</e2>", "今<e2>天</e2> the <e1>church</e1>", MARKED]
    assert read(path) == [{"text": text, "label": line["label"]} for text, line in zip(expected, lines, strict=True)]


def test_spans_of_a_csv_file_are_json(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text('text,head,tail,label\nthe church,"[0, 3]","{""start"": 4, ""end"": 10}",a\n', encoding="utf-8")
    assert read(path) == [{"text": "<e1>the</e1> <e2>church</e2>", "label": "a"}]


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ({"text": "the church"}, "<e1> stands nowhere"),
        ({"text": "<e1>a</e1> <e2>b"}, "</e2> stands nowhere"),
        ({"text": "<e1>a</e1> <e1>b</e1> <e2>c</e2>"}, "<e1> stands more than once"),
        ({"text": "</e1>a<e1> <e2>b</e2>"}, "</e1> stands before <e1>"),
        ({"text": "<e1>a <e2>b</e1> c</e2>"}, "overlap"),
        ({"text": "<e1><e2>b</e2></e1>"}, "overlap"),
        ({"text": "<e1>a<e2></e1>b</e2>"}, "overlap"),
        ({"text": "<e1> </e1> <e2>b</e2>"}, "nothing stands between <e1> and </e1>"),
        ({"text": "a b", "head": [0, 1]}, "the row has 'head' but no 'tail'"),
        ({"text": "<e1>a</e1> <e2>b</e2>", "head": [0, 1], "tail": [2, 3]}, "the text has <e1> and the row has 'head'"),
        ({"text": "a b", "head": [0, 1], "tail": [2, 4]}, "'tail' lies outside the text (2 to 4 of 3)"),
        ({"text": "a b", "head": [-1, 1], "tail": [2, 3]}, "'head' lies outside the text"),
        ({"text": "a b", "head": [1, 1], "tail": [2, 3]}, "'head' holds nothing (1 to 1)"),
        ({"text": "a b", "head": [0, 2], "tail": [1, 3]}, "overlap"),
        ({"text": "a b", "head": [0, 1.0], "tail": [1, 3]}, "'head' is no span"),
        ({"text": "a b", "head": [True, 2], "tail": [2, 3]}, "'head' is no span"),
        ({"text": "a b", "head": {"start": 0}, "tail": [2, 3]}, "'head' is no span"),
        ({"text": "a b", "head": "0-1", "tail": [2, 3]}, "'head' is no span"),
        ({"text": "a b", "head": [1, 2], "tail": [2, 3]}, "nothing stands between <e1> and </e1>"),
    ],
)
def test_a_malformed_row_is_refused_at_its_line_or_left_out(tmp_path, row, problem):
    path = tmp_path / "a.jsonl"
    path.write_text(f"{json.dumps({'text': MARKED, 'label': 'a'})}\n{json.dumps({**row, 'label': 'b'})}\n")
    with pytest.raises(RequestError) as refused:
        read(path)
    assert str(refused.value).startswith("a.jsonl line 2: ")
    assert problem in str(refused.value)
    skipped = Skipped()
    assert read(path, skipped) == [{"text": MARKED, "label": "a"}]
    assert skipped.count == 1


def test_marking_and_unmarking_are_each_others_way_back():
    text, head, tail = unmarked(MARKED)
    assert (text, text[slice(*head)], text[slice(*tail)]) == ("The  church  has six portals.", " church ", "portals")
    assert marked(text, head, tail) == MARKED
    with pytest.raises(RequestError, match="<e1> stands nowhere in the text; mark the head"):
        unmarked(text)
