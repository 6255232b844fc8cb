"""What an inspection says of rows whose texts stand apart."""

from tests.inspection.planted import clean_rows
from tests.inspection.test_inspect_answers import found, inspection_of


def pairs(prefix: str = "", **more) -> list[dict]:
    return [{"text_a": row["text"], "text_b": f"{prefix}yes {i}", **more} for i, row in enumerate(clean_rows(prefix))]


def test_pairs_are_read_refused_by_line_and_measured_by_their_longest_text(tmp_path):
    train, test = pairs(), pairs("today ")
    train[3] = {"text_b": "alone"}
    train[5]["text_b"] = "the " * 70
    train[8] = dict(train[7])
    inspection = inspection_of(tmp_path, "embedding", train, test)
    seen = found(inspection)
    assert seen["refused", "train"] == (1, ["train.jsonl line 4"])
    assert seen["duplicate", "train"] == (1, ["train.jsonl line 9: as train.jsonl line 8"])
    assert ("conflict", "train") not in seen
    statistics = inspection.splits["train"]
    assert statistics["truncated"]["texts"] == 1
    assert statistics["length"]["max"] == 72
    assert statistics["columns"]["text_b"]["read_as"] == "text_b"


def test_scores_are_told_as_numbers_and_texts_alone_have_none(tmp_path):
    train = [{**row, "label": i % 6} for i, row in enumerate(pairs())]
    assert inspection_of(tmp_path, "embedding", train, train[:4]).splits["train"]["numbers"]["max"] == 5
    texts = [{"text": row["text_a"]} for row in pairs()]
    inspection = inspection_of(tmp_path, "embedding", texts, texts[:4])
    assert not inspection.splits["train"]["numbers"]
    assert inspection.splits["train"]["rows"] == len(texts)
