"""The file of generated texts: what is written is read again, and what is damaged is said to be."""

import json
import math

import pytest

from keras_ft.errors import RequestError
from keras_ft.evaluation.shorten import shortened
from keras_ft.evaluation.texts import GeneratedText, read_texts, write_texts

RECORDS = [
    GeneratedText(0, "Hi.", "你好。", "嗨。\n\u2028\x85第二行", 7, -1.25, True),
    GeneratedText(2, "مرحبا", "नमस्ते", "", 0, 0.0, False),
]


def test_what_is_written_is_read_again(tmp_path):
    path = tmp_path / "predictions" / "test_texts.jsonl"
    write_texts(path, RECORDS)
    assert read_texts(path) == RECORDS
    assert json.loads(path.read_text(encoding="utf-8").split("\n")[1])["source"] == "مرحبا"


def test_a_score_that_is_not_known_is_json_still(tmp_path):
    write_texts(tmp_path / "t.jsonl", [GeneratedText(0, "a", "b", "c", 1, -math.inf, True)])
    assert '"score": null' in (tmp_path / "t.jsonl").read_text()
    assert math.isnan(read_texts(tmp_path / "t.jsonl")[0].score)


def test_a_file_that_is_absent_or_empty_holds_no_texts(tmp_path):
    assert read_texts(tmp_path / "t.jsonl") == []
    write_texts(tmp_path / "t.jsonl", [])
    assert read_texts(tmp_path / "t.jsonl") == []


LINE = json.dumps(
    {"row": 0, "source": "a", "reference": "b", "text": "c", "num_tokens": 1, "score": 0.5, "ended": True}
)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (LINE[:40], "damaged"),
        (LINE.replace('"ended"', '"finished"'), "'ended'"),
        (LINE.replace('"c"', "3"), "'text' is 3"),
        ("[1]", "damaged"),
        ("\udcff", "damaged"),
    ],
)
def test_damage_is_said_in_one_line_with_its_place(tmp_path, line, says):
    path = tmp_path / "test_texts.jsonl"
    path.write_bytes(f"{LINE}\n{line}\n".encode("utf-8", "surrogateescape"))
    with pytest.raises(RequestError, match=r"line 2 of .*test_texts.jsonl") as error:
        read_texts(path)
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_a_column_of_a_later_version_does_no_harm(tmp_path):
    path = tmp_path / "t.jsonl"
    path.write_text(LINE[:-1] + ', "beams": []}\n')
    assert read_texts(path)[0].text == "c"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("short", "short"),
        ("to be or not to be", "to be or … (18 characters)"),
        ("今天我们去公园散步然后回家吃饭", "今天我们去公园散步然 … (15 characters)"),
        ("कनमस्तेनमस्ते", "कनमस्तेनम … (13 characters)"),
        ("\u0301" * 12, "\u0301 … (12 characters)"),
    ],
)
def test_long_texts_are_cut_between_words_and_before_no_mark(text, shown):
    assert shortened(text, 10) == shown
