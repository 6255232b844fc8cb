"""Files → records, and what is said of files that are wrong."""

import csv
import json

import pytest

from keras_ft.data.readers import READERS, read_records, reads
from keras_ft.errors import RequestError

TEXTS = ['a "quoted" film, and good', "这部电影很好看。", "فيلم رائع", "बहुत बढ़िया", "🎬👍🏽 yes", "line\u2028separator"]


@pytest.fixture
def file(tmp_path):
    def write(name, content):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
        return path

    return write


def error_of(path):
    with pytest.raises(RequestError) as caught:
        list(read_records(path))
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_jsonl_keeps_every_script_and_numbers_lines_past_blank_ones(file):
    lines = [json.dumps({"text": text, "label": i}, ensure_ascii=bool(i % 2)) for i, text in enumerate(TEXTS)]
    path = file("train.jsonl", "\r\n\n".join(lines))
    assert list(read_records(path)) == [(2 * i + 1, {"text": text, "label": i}) for i, text in enumerate(TEXTS)]


def test_csv_reads_what_pythons_csv_writes_and_numbers_the_first_line_of_a_record(tmp_path):
    texts = [*TEXTS, "two\nlines", 'a "", b', ""]
    path = tmp_path / "train.CSV"
    with path.open("w", newline="", encoding="utf-8") as opened:
        writer = csv.writer(opened)
        writer.writerows([["text", "label"], *[[text, "x"] for text in texts]])
    numbers, records = zip(*read_records(path), strict=True)
    assert [record["text"] for record in records] == texts
    assert numbers == (2, 3, 4, 5, 6, 7, 8, 10, 11)


def test_csv_field_longer_than_pythons_own_limit_is_read(file):
    assert next(read_records(file("a.csv", "text\n" + "字" * 200_000)))[1]["text"] == "字" * 200_000


def test_tsv_quotes_are_literal_as_in_glue(file):
    path = file("train.tsv", 'sentence\tlabel\n"unpaired\t0\nhe said "no", \'and\' left\t1\n电影"好\t\n')
    assert [list(record.values()) for _, record in read_records(path)] == [
        ['"unpaired', "0"],
        ["he said \"no\", 'and' left", "1"],
        ['电影"好', ""],
    ]


@pytest.mark.parametrize(("name", "body"), [("a.jsonl", '{"text": "é"}'), ("a.csv", "text\né"), ("a.tsv", "text\né")])
def test_byte_order_mark_is_no_part_of_the_first_name(file, name, body):
    assert [record for _, record in read_records(file(name, "\ufeff" + body))] == [{"text": "é"}]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.jsonl", '{"t": 1}\n\n{"t": }\n', "a.jsonl line 3 is not JSON (Expecting value, column 7); each line"),
        ("a.jsonl", '{"t": 1}\n["x"]\n', "a.jsonl line 2 holds a JSON list; each line must be one object"),
        ("a.jsonl", "[" * 200_000, "a.jsonl line 1 is not JSON ("),
        ("a.jsonl", '{"n": ' + "1" * 5000 + "}", "a.jsonl line 1 is not JSON ("),
        ("a.jsonl", b'{"t": 1}\n{"t": "\xb5\xe7"}\n', "a.jsonl line 2 is not UTF-8 (byte 0xb5 at 8); save it as UTF-8"),
        ("a.csv", b"text\nok\ncaf\xe9\n", "a.csv line 3 is not UTF-8 (byte 0xe9 at 4)"),
        ("a.csv", 'text,label\n"a\nb",x\nc\n', "a.csv line 4 has 1 columns; the header has 2 (text, label)"),
        ("a.csv", "text,label\na,b,c\n", "a.csv line 2 has 3 columns; the header has 2 (text, label)"),
        ("a.csv", 'text\na\n"never closed\nb\n', "a.csv line 3 is not CSV (unexpected end of data); quote fields"),
        ("a.csv", "text,text\na,b\n", "a.csv line 1 names the column 'text' twice; names must differ"),
        ("a.tsv", "text\tlabel\n\na b\n", "a.tsv line 3 has 1 columns; the header has 2 (text, label)"),
        ("a.jsonl", "\n \n", "a.jsonl holds no records; at least one is needed"),
        ("a.csv", "", "a.csv holds no records; at least one is needed"),
        ("a.tsv", "text\tlabel\n", "a.tsv holds no records; at least one is needed"),
        (
            "a.xlsx",
            "x",
            "a.xlsx is of an unknown kind, '.xlsx'; known are .conll, .csv, .json, .jsonl, .parquet, .tsv, .txt",
        ),
    ],
)
def test_malformed_file_is_refused_by_file_and_line(file, name, content, message):
    assert message in error_of(file(name, content))


def test_absent_file_suggests_the_nearest_name(file, tmp_path):
    file("train.jsonl", "{}")
    message = error_of(tmp_path / "trian.jsonl")
    assert message == f"no such file: {tmp_path / 'trian.jsonl'}; did you mean 'train.jsonl'?"


def test_absent_file_without_a_near_name_lists_what_there_is(file, tmp_path):
    assert error_of(tmp_path / "train.jsonl").endswith("its folder holds no data files")
    file("zz.csv", "")
    assert error_of(tmp_path / "train.jsonl").endswith("its folder holds zz.csv")
    assert error_of(tmp_path / "no" / "train.jsonl").endswith(f"there is no folder {tmp_path / 'no'} either")


def test_folder_in_place_of_a_file_is_refused(tmp_path):
    folder = tmp_path / "data.csv"
    folder.mkdir()
    assert error_of(folder) == f"{folder} is a folder; name a file in it, a pattern like 'data.csv/*.jsonl', or a list"


def test_new_format_is_one_decorated_function(file, monkeypatch):
    monkeypatch.setitem(READERS, ".one", None)  # undone after the test

    @reads(".one")
    def read_one(path):
        yield 1, {"text": path.read_text()}

    assert list(read_records(file("a.one", "hi"))) == [(1, {"text": "hi"})]
