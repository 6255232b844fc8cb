"""Splits that share nothing, and the files they are written to."""

import gzip
import json
import random

from keras_ft.data.grouped_split import grouped_split, write_splits
from keras_ft.data.json_lines import write_jsonl
from keras_ft.data.readers.source import read_records


def test_examples_with_a_key_in_common_are_in_one_part():
    draw = random.Random(0)
    keys = [[("source", draw.randrange(300)), ("target", draw.randrange(900))] for _ in range(500)]
    parts = grouped_split(keys, {"validation": 40, "test": 40})
    assert sorted(number for part in parts.values() for number in part) == list(range(500))
    seen = {name: {key for number in part for key in keys[number]} for name, part in parts.items()}
    assert parts["test"]
    assert sum(map(len, seen.values())) == len(set.union(*seen.values()))


def test_a_chain_of_keys_holds_a_group_together():
    parts = grouped_split([["a"], ["b", "c"], ["c", "d"], ["d", "a"], ["e"]], {"test": 1})
    assert parts == {"train": [0, 1, 2, 3], "test": [4]}


def test_parts_have_the_size_asked_for_and_depend_on_the_seed_alone():
    keys = [[number] for number in range(1000)]
    parts = grouped_split(keys, {"validation": 100, "test": 50})
    assert {name: len(part) for name, part in parts.items()} == {"train": 850, "validation": 100, "test": 50}
    assert parts == grouped_split(keys, {"validation": 100, "test": 50})
    assert parts != grouped_split(keys, {"validation": 100, "test": 50}, seed=1)


def test_a_large_group_is_left_to_train():
    keys = [["joke"] if number < 30 else [number] for number in range(200)]
    for seed in range(5):
        assert set(range(30)) <= set(grouped_split(keys, {"test": 100}, seed)["train"])


def test_files_hold_the_parts_and_equal_records_give_equal_files(tmp_path):
    records = [{"text": f"行 {number}\u2028"} for number in range(20)]
    parts = write_splits(tmp_path / "one", records, [[i] for i in range(20)], {"test": 5}, ".jsonl.gz")
    write_splits(tmp_path / "two", records, [[i] for i in range(20)], {"test": 5}, ".jsonl.gz")
    for name in ("train", "test"):
        found = [record for _, record in read_records(tmp_path / "one" / f"{name}.jsonl.gz")]
        assert found == parts[name]
        assert (tmp_path / "one" / f"{name}.jsonl.gz").read_bytes() == (
            tmp_path / "two" / f"{name}.jsonl.gz"
        ).read_bytes()


def test_the_name_says_whether_a_file_is_packed(tmp_path):
    for name, opened in (("a.jsonl", open), ("a.jsonl.gz", gzip.open)):
        write_jsonl(tmp_path / name, [{"a": "é"}])
        with opened(tmp_path / name, "rb") as file:
            assert json.loads(file.read()) == {"a": "é"}
