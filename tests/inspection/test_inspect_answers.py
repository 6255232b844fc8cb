"""What an inspection says of several labels a row, of pairs, and of numbers."""

import json
from pathlib import Path

import pytest

from keras_ft.evaluation.report.inspection import inspection_sections
from keras_ft.inspection.terminal import lines
from tests.inspection.planted import clean_rows, inspected, write_vocabulary


def inspection_of(folder: Path, task: str, train: list[dict], test: list[dict]):
    for name, rows in (("train", train), ("test", test)):
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (folder / f"{name}.jsonl").write_text(text, encoding="utf-8")
    write_vocabulary(folder / "vocab.txt")
    recipe = folder / "recipe.yaml"
    recipe.write_text(
        f"task: {task}\n"
        "backbone: {family: bert, vocabulary: vocab.txt, num_layers: 1, num_heads: 1, hidden_dim: 8,"
        " intermediate_dim: 8, max_sequence_length: 256}\n"
        "data: {train: train.jsonl, validation: 0.1, test: test.jsonl, max_length: 64}\ntrain: {batch_size: 8}\n"
    )
    return inspected(recipe)


def found(inspection) -> dict[tuple[str, str], tuple[int, list[str]]]:
    return {(f.kind, f.split): (f.count, [str(place) for place in f.places]) for f in inspection.findings}


def several(prefix: str = "") -> list[dict]:
    both = {"positive": ["positive", "long"], "negative": ["negative"]}
    return [{"text": row["text"], "labels": both[row["label"]]} for row in clean_rows(prefix)]


def test_labels_of_lists_are_counted_one_by_one_and_planted_defects_are_found(tmp_path):
    train, test = several(), several("today ")
    train[5]["labels"] = []
    train[7]["labels"] = ["positive", "Long"]
    train[9]["labels"] = 3
    test[4]["labels"] = ["negative", "neutral"]
    test.append({**test[0], "labels": ["long", "negative"]})
    inspection = inspection_of(tmp_path, "multilabel", train, test)
    assert found(inspection) == {
        ("refused", "train"): (1, ["train.jsonl line 10: the labels are no list (3, a int)"]),
        ("label_variant", "train"): (1, ["train.jsonl line 8: 'Long, positive'"]),
        ("unknown_label", "test"): (1, ["test.jsonl line 5: 'negative, neutral'"]),
        ("duplicate", "test"): (1, ["test.jsonl line 161: as test.jsonl line 1"]),
        ("conflict", "test"): (1, ["test.jsonl line 161: 'long, negative', test.jsonl line 1 'negative'"]),
    }
    labels = inspection.splits["train"]["labels"]
    rows = [tuple(row["labels"]) for i, row in enumerate(train) if i != 9]
    assert labels["rows"] == {name: sum(name in row for row in rows) for name in labels["rows"]}
    assert (labels["count"], labels["rows_without"]) == (4, 1)
    assert labels["labels_a_row"] == pytest.approx(sum(map(len, rows)) / 159, abs=1e-3)


def test_pairs_are_looked_at_as_both_texts(tmp_path):
    texts = [row["text"] for row in clean_rows()]
    train = [
        {"text_a": a, "text_b": b, "label": i // 2 % 2} for i, (a, b) in enumerate(zip(texts, texts[::-1], strict=True))
    ]
    test = [{**row, "text_a": f"today {row['text_a']}"} for row in train]
    test.append({"text_a": train[3]["text_a"], "text_b": "we saw that", "label": 0})  # neither is the pair's own
    test.append({**train[3], "text_a": train[3]["text_a"].upper()})
    test.append({"text_a": texts[0], "text_b": "", "label": 1})
    inspection = inspection_of(tmp_path, "pair", train, test)
    assert found(inspection) == {
        ("refused", "test"): (1, ["test.jsonl line 163"]),
        ("overlap", "test"): (1, ["test.jsonl line 162: as train.jsonl line 4"]),
    }


def numbers(prefix: str = "") -> list[dict]:
    return [{"text_a": row["text"], "label": 1 + i % 9 / 2} for i, row in enumerate(clean_rows(prefix))]


def test_numbers_are_summed_up_and_those_far_off_are_found(tmp_path):
    train, test = numbers(), numbers("today ")
    train[3]["label"] = 35
    train[4]["label"] = "none"
    test[6]["label"] = -9
    inspection = inspection_of(tmp_path, "{name: regression, texts: 1}", train, test)
    assert found(inspection) == {
        ("refused", "train"): (1, ["train.jsonl line 5: the label is no finite number ('none')"]),
        ("far_label", "train"): (1, ["train.jsonl line 4: 35"]),
        ("far_label", "test"): (1, ["test.jsonl line 7: -9"]),
        ("beyond_labels", "test"): (1, ["test.jsonl line 7: -9"]),
    }
    summed = inspection.splits["train"]["numbers"]
    assert (summed["min"], summed["median"], summed["max"]) == (1, 3, 35)
    assert sum(bar["rows"] for bar in summed["histogram"]) == 159
    assert inspection.splits["train"]["labels"] == {"count": 0, "rows": {}}
    assert any(line.startswith("Labels, which are numbers") for line in lines(inspection, color=False))
    titles = [section.title for section in inspection_sections(inspection.to_json())]
    assert "Labels in the data" in titles


def test_numbers_that_are_all_the_same_are_a_problem(tmp_path):
    rows = [{**row, "label": 2} for row in numbers()]
    inspection = inspection_of(
        tmp_path, "{name: regression, texts: 1}", rows, rows[:0] or [{"text_a": "good film", "label": 2}]
    )
    (problem,) = [f for f in inspection.findings if f.severity == "problem"]
    assert (problem.kind, problem.count) == ("one_label", 160)
