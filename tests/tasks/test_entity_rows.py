import json

import pytest

from keras_ft.data.readers import find_sources
from keras_ft.errors import RequestError
from keras_ft.tasks.encode import read_examples
from keras_ft.tasks.entity_rows import join_tokens
from keras_ft.tasks.tagging import Tagging


def read(folder, row, name="a.jsonl") -> dict:
    """The columns of a row behind one that is as it should be."""
    good = {"text": "a b", "entities": []}
    (folder / name).write_text("\n".join(json.dumps(r) for r in (good, row)) + "\n", encoding="utf-8")
    (rows,) = read_examples(Tagging, find_sources(folder / name), {})
    return {column: values[1] for column, values in rows.columns.items()}


def test_both_forms_of_rows_are_read(tmp_path):
    tokens = {"tokens": ["EU", "rejects", "U.N."], "tags": ["B-ORG", "O", "I-ORG"]}
    expected = {"text": "EU rejects U.N.", "entities": [(0, 2, "ORG"), (11, 15, "ORG")]}
    assert read(tmp_path, tokens) == {**expected, "words": [(0, 2), (3, 10), (11, 15)]}
    text = {"text": "EU rejects U.N.", "entities": [[11, 15, "ORG"], {"start": 0, "end": 2, "label": "ORG", "id": 7}]}
    assert read(tmp_path, text) == {**expected, "words": None}


def test_a_row_of_both_forms_is_taken_by_its_text(tmp_path):
    row = {"text": "CSOL好", "entities": [[0, 4, "game"]], "tokens": list("CSOL好"), "tags": ["O"] * 5}
    assert read(tmp_path, row) == {"text": "CSOL好", "entities": [(0, 4, "game")], "words": None}


def test_conll_files_hold_tokens_and_tags(tmp_path):
    (tmp_path / "a.conll").write_text("EU NNP B-ORG\nrejects VBZ O\n\n王 B-PER\n小 I-PER\n", encoding="utf-8")
    (rows,) = read_examples(Tagging, find_sources(tmp_path / "a.conll"), {})
    assert rows.columns["text"] == ["EU rejects", "王小"]
    assert rows.columns["entities"] == [[(0, 2, "ORG")], [(0, 2, "PER")]]


@pytest.mark.parametrize(
    ("tokens", "text"),
    [
        (["我", "爱", "北京", "，", "真的", "！"], "我爱北京，真的！"),
        (["他", "说", "“", "好", "”", "。"], "他说“好”。"),
        (["用", "iPhone", "5", "吧"], "用 iPhone 5 吧"),
        (["don't", ",", "go"], "don't , go"),
        (["東京", "に", "いる"], "東京 に いる"),  # the words of kana would run together
        (["👍", "👍"], "👍 👍"),
    ],
)
def test_tokens_are_joined_by_spaces_but_not_in_chinese(tokens, text):
    joined, starts = join_tokens(tokens)
    assert joined == text
    assert [joined[start : start + len(token)] for start, token in zip(starts, tokens, strict=True)] == tokens


def test_a_word_begins_with_its_first_visible_character(tmp_path):
    row = {"tokens": ["\u200bParis", "\u200b"], "tags": ["B-LOC", "O"]}
    assert read(tmp_path, row)["words"] == [(1, 6), (7, 8)]
    assert read(tmp_path, row)["entities"] == [(1, 6, "LOC")]


WRONG = [
    ({"tokens": ["a", "b"], "tags": ["O"]}, "has 2 tokens but 1 tags"),
    ({"tokens": ["a"]}, "has 'tokens' but no 'tags'"),
    ({"tokens": ["a", " "], "tags": ["O", "O"]}, "token 2 is empty"),
    ({"tokens": ["a"], "tags": ["PER"]}, "tag 1 is 'PER'"),
    ({"tokens": "a b", "tags": ["O"]}, "'tokens' is 'a b', not a list"),
    ({"tokens": ["a", 3], "tags": ["O", "O"]}, "'tokens' item 2 is 3, not a string"),
    ({"text": "abc"}, "has a 'text' but no 'entities'"),
    ({"label": "x"}, "has neither 'tokens' and 'tags' nor 'text' and 'entities'"),
    ({"text": 3, "entities": []}, "'text' is a number"),
    ({"text": "abc", "entities": "PER"}, "'entities' is 'PER', not a list"),
    ({"text": "abc", "entities": [[0, 1]]}, "entity 1 is [0, 1]; it should be {start, end, label}"),
    ({"text": "abc", "entities": [{"start": 0, "end": 1}]}, "entity 1 has no 'label'"),
    ({"text": "abc", "entities": [[0, 4, "X"]]}, "entity 1 goes from 0 to 4; it should hold a character at least, and the text has 3"),
    ({"text": "abc", "entities": [[-1, 2, "X"]]}, "entity 1 goes from -1 to 2"),
    ({"text": "abc", "entities": [[1, 1, "X"]]}, "entity 1 goes from 1 to 1"),
    ({"text": "abc", "entities": [[0, 1.0, "X"]]}, "they should be whole numbers"),
    ({"text": "abc", "entities": [[0, 1, 7]]}, "the label is 7; it should be a string"),
    ({"text": "abc", "entities": [[0, 1, ""]]}, "the label is ''"),
    ({"text": "abc", "entities": [[1, 3, "Y"], [0, 2, "X"]]}, "entities X 0–2 and Y 1–3 overlap"),
]  # fmt: skip


@pytest.mark.parametrize(("row", "message"), WRONG, ids=[message for _, message in WRONG])
def test_a_malformed_row_is_refused_with_its_line(tmp_path, row, message):
    with pytest.raises(RequestError) as caught:
        read(tmp_path, row)
    assert str(caught.value).startswith("a.jsonl line 2")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
