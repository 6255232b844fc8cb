"""Files of each format → records."""

import gzip
import json

import pytest

from keras_ft.data.readers import find_sources, read_records
from keras_ft.data.rows import Columns, read_chunks
from keras_ft.errors import RequestError

CONLL = """-DOCSTART- -X- -X- O

EU NNP B-NP B-ORG
rejects VBZ B-VP O

北 NN O B-LOC
京 NN O I-LOC
"""
SQUAD = {
    "version": "v2.0",
    "data": [
        {
            "title": "长城",
            "paragraphs": [
                {
                    "context": "The wall is long.",
                    "qas": [
                        {"id": "1", "question": "What?", "answers": [{"text": "wall", "answer_start": 4}]},
                        {"id": "2", "question": "Who?", "answers": [], "is_impossible": True},
                    ],
                }
            ],
        }
    ],
}


def write(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
    return path


def outcomes(path):
    return [r if isinstance(r, dict) else str(r) for source in find_sources(path) for _, r in source.records()]


def refusal(path):
    with pytest.raises(RequestError) as caught:
        list(read_records(path))
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.jsonl", '{"text": "été"}\n{"text": "冬"}\n'), ("a.csv", "text\nété\n冬\n"), ("a.txt", "\ufeffété\n\n冬\n")],
)
def test_gzip_changes_nothing_but_the_size(tmp_path, name, content):
    plain, packed = write(tmp_path / name, content), tmp_path / f"{name}.GZ"
    packed.write_bytes(gzip.compress(content.encode("utf-8")))
    assert [record["text"] for _, record in read_records(plain)] == ["été", "冬"]
    assert list(read_records(packed)) == list(read_records(plain))


@pytest.mark.parametrize("content", [b"no gzip", gzip.compress(b"text\n" * 10**5)[:-20]])
def test_broken_gzip_is_refused(tmp_path, content):
    assert "a.csv.gz is not a whole gzip file" in refusal(write(tmp_path / "a.csv.gz", content))


def test_conll_gives_tokens_and_tags_and_the_line_a_sentence_begins_on(tmp_path):
    assert list(read_records(write(tmp_path / "a.conll", CONLL))) == [
        (3, {"tokens": ["EU", "rejects"], "tags": ["B-ORG", "O"]}),
        (6, {"tokens": ["北", "京"], "tags": ["B-LOC", "I-LOC"]}),
    ]


def test_conll_fields_may_hold_spaces_between_tabs_and_tags_may_be_absent(tmp_path):
    assert outcomes(write(tmp_path / "a.conll", "New York\tB-LOC\n")) == [{"tokens": ["New York"], "tags": ["B-LOC"]}]
    assert outcomes(write(tmp_path / "b.conll", "New\nYork\n")) == [{"tokens": ["New", "York"]}]


def test_conll_line_with_a_missing_tag_is_named_and_the_next_sentence_read(tmp_path):
    found = outcomes(write(tmp_path / "a.conll", "a O\nb\n\nc O\n"))
    assert found[0] == "a.conll line 2 has 1 fields; the first line of its sentence has 2"
    assert found[1] == {"tokens": ["c"], "tags": ["O"]}


def test_squad_gives_a_record_a_question(tmp_path):
    first, second = outcomes(write(tmp_path / "a.json", json.dumps(SQUAD)))
    assert first["context"][4:8] == "wall" == first["answers"]["text"][0]
    assert first["answers"]["answer_start"] == [4]
    assert (first["title"], first["is_impossible"], second["is_impossible"]) == ("长城", False, True)


def test_squad_question_without_an_id_is_named_and_the_next_read(tmp_path):
    tree = json.loads(json.dumps(SQUAD))
    del tree["data"][0]["paragraphs"][0]["qas"][0]["id"]
    found = outcomes(write(tmp_path / "a.json", json.dumps(tree)))
    assert found[0].startswith("a.json record 1 is malformed (KeyError: 'id')")
    assert found[1]["id"] == "2"


def test_json_list_of_objects_is_read_too(tmp_path):
    path = write(tmp_path / "a.json", '[{"text": "a"}, 3, {"text": "b"}]')
    found = outcomes(path)
    assert (found[0], found[2]) == ({"text": "a"}, {"text": "b"})
    assert found[1].startswith("a.json record 2 is a JSON int")


@pytest.mark.parametrize("content", ["{", '{"rows": []}', "3", b"\xff\xfe"])
def test_other_json_is_refused(tmp_path, content):
    assert refusal(write(tmp_path / "a.json", content)).startswith("a.json is not")


def test_parquet_gives_pythons_own_types(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    columns = {"text": ["好", None, "c"], "label": [1, 0, 1], "tags": [["a"], [], ["b", "c"]]}
    parquet.write_table(pyarrow.table(columns), tmp_path / "a.parquet", row_group_size=2)
    assert list(read_records(tmp_path / "a.parquet")) == [
        (1, {"text": "好", "label": 1, "tags": ["a"]}),
        (2, {"text": None, "label": 0, "tags": []}),
        (3, {"text": "c", "label": 1, "tags": ["b", "c"]}),
    ]


def test_broken_parquet_is_refused(tmp_path):
    assert "a.parquet is not a Parquet file" in refusal(write(tmp_path / "a.parquet", "PAR1 nonsense"))


def test_a_line_that_is_not_utf8_is_one_bad_row(tmp_path):
    found = outcomes(write(tmp_path / "a.csv", b"text,label\nok,1\ncaf\xe9,2\nfine,3\n"))
    assert [record["text"] for record in found if isinstance(record, dict)] == ["ok", "fine"]
    assert "a.csv line 3 is not UTF-8" in found[1]


def test_pattern_reads_its_files_in_the_order_of_their_names(tmp_path):
    for name in ("part-2.txt", "part-1.txt", "other.txt"):
        write(tmp_path / name, name)
    found = outcomes(tmp_path / "part-*.txt")
    assert [record["text"] for record in found] == ["part-1.txt", "part-2.txt"]
    with pytest.raises(RequestError, match=r"no file matches .*part-\*.csv; its folder holds other.txt, part-1.txt"):
        find_sources(tmp_path / "part-*.csv")


def test_a_file_whose_name_looks_like_a_pattern_is_read(tmp_path):
    assert outcomes(write(tmp_path / "a[1].txt", "x")) == [{"text": "x"}]


@pytest.mark.parametrize("sign", [";", "\t"])
def test_csv_of_a_spreadsheet_that_separates_otherwise_is_read(tmp_path, sign):
    content = f'comment{sign}category\n"a{sign} ""b"", c"{sign}x\n1,5{sign}y\n'
    found = outcomes(write(tmp_path / "a.csv", content))
    assert found == [{"comment": f'a{sign} "b", c', "category": "x"}, {"comment": "1,5", "category": "y"}]


def test_excels_separator_line_is_no_header(tmp_path):
    assert outcomes(write(tmp_path / "a.csv", "sep=;\ncomment;category\na, b;x\n")) == [
        {"comment": "a, b", "category": "x"}
    ]


def test_parquet_with_nanoseconds_is_read_and_one_with_two_columns_of_a_name_refused(tmp_path):
    import pyarrow
    from pyarrow import parquet

    table = pyarrow.table({"text": ["a"], "at": pyarrow.array([1], pyarrow.timestamp("ns"))})
    parquet.write_table(table, tmp_path / "a.parquet")
    assert outcomes(tmp_path / "a.parquet")[0]["text"] == "a"
    twice = pyarrow.Table.from_arrays([pyarrow.array(["a"]), pyarrow.array(["b"])], names=["text", "text"])
    parquet.write_table(twice, tmp_path / "b.parquet")
    assert "b.parquet has the column 'text' twice" in refusal(tmp_path / "b.parquet")


def test_long_texts_make_small_chunks(tmp_path):
    rows = [{"text": "x" * 400_000} for _ in range(7)]
    write(tmp_path / "a.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    chunks = read_chunks(find_sources(tmp_path / "a.jsonl"), Columns({}, ["text"], ["text"]))
    assert [len(chunk) for chunk in chunks] == [3, 3, 1]
