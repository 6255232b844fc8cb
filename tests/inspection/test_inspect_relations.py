"""Looking at relations: markers are no part of the texts, and malformed rows are counted."""

import json

import pytest

from keras_ft.tasks.relation import Relation
from tests.inspection.planted import inspected
from tests.tiny import write_jsonl
from tests.tiny_relations import marked_texts, write_relation_recipe

CHINESE = "<e1>猫</e1>在<e2>狗</e2>里"


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    folder = tmp_path_factory.mktemp("inspected")
    recipe = write_relation_recipe(folder)
    rows = [json.loads(line) for line in (folder / "train.jsonl").read_text(encoding="utf-8").splitlines()]
    rows.append({"text": CHINESE, "label": "Other"})
    rows.append({"text": "the cat in the box", "head": [4, 7], "tail": [15, 18], "label": "Other"})
    rows.append({"text": "the cat in the box", "head": [15, 18], "tail": [4, 7], "label": "Other"})
    rows.append({"text": "the cat in the box", "head": [4, 7], "tail": [15, 99], "label": "Other"})
    rows.append({"text": "the cat in the box", "label": "Other"})
    write_jsonl(folder / "train.jsonl", rows)
    return inspected(recipe)


def test_malformed_rows_are_found_at_their_lines(found):
    refused = [finding for finding in found.findings if finding.kind == "refused"]
    assert sorted((finding.what, finding.places[0].where) for finding in refused) == [
        ("1 row would be refused: 'tail' lies outside the text", "train.jsonl line 64"),
        ("1 row would be refused: <e1> stands nowhere in the text", "train.jsonl line 65"),
    ]


def test_markers_count_as_tokens_and_not_as_letters_and_pairs_of_a_text_are_different_rows(found):
    train = found.splits["train"]
    assert (train["rows"], train["distinct_texts"]) == (63, 63)
    shortest = "[CLS] [unused1] 猫 [unused2] 在 [unused3] 狗 [unused4] 里 [SEP]"
    assert train["length"]["min"] == len(shortest.split(" "))
    assert {finding.kind for finding in found.findings} == {"refused", "overlap"}  # test repeats train on purpose
    letters = "".join(Relation.without_marks(text) for text, _ in marked_texts())
    assert train["scripts"]["Han"] == pytest.approx(
        sum("一" <= c <= "龥" for c in letters) / sum(map(str.isalpha, letters)), abs=0.05
    )
