"""Tagging from recipe to server, as a user runs it."""

import json
import random

import numpy as np
import pytest

from keras_ft.evaluation.comparison.compare import compare
from keras_ft.evaluation.evaluate_run import evaluate_run
from keras_ft.evaluation.predict import predict
from keras_ft.evaluation.predictions import Predictions
from keras_ft.export.export import export
from keras_ft.inspection.inspect import inspect
from keras_ft.recipe_file import load_recipe
from keras_ft.serving.background import BackgroundServer
from keras_ft.serving.client import Client
from keras_ft.tasks.backbone import load_backbone
from keras_ft.training.train import train
from tests.tiny import write_jsonl
from tests.tiny_tagging import ENTITIES, FILLER, write_tagging_recipe


def quietly(line: str) -> None:
    """Nobody reads it."""


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run that found out what is a place and what a number."""
    folder = tmp_path_factory.mktemp("tagging")
    train(load_recipe(write_tagging_recipe(folder)), folder / "run", tell=quietly)
    return folder / "run"


@pytest.fixture(scope="module")
def exported(finished):
    folder, _ = export(finished, finished.parent / "models" / "tagging")
    return folder


def test_a_run_finds_entities_and_its_counts_are_its_metrics(finished):
    metrics = json.loads((finished / "metrics.json").read_text())
    assert metrics["test"]["f1"] > 0.9
    columns = Predictions.read(finished / "predictions" / "test.npz").columns
    hits, predicted, gold = (columns[name].sum() for name in ("hits", "predicted", "gold"))
    assert metrics["test"]["f1"] == pytest.approx(2 * hits / (predicted + gold))
    assert columns["gold_by_label"].sum() == gold
    assert evaluate_run(finished, str(finished.parent / "test.jsonl")) == pytest.approx(metrics["test"], rel=1e-5)


def test_tokens_with_tags_are_measured_as_the_texts_are(finished, tmp_path):
    rows = [json.loads(line) for line in (finished.parent / "test.jsonl").read_text(encoding="utf-8").splitlines()]
    rows = [row for row in rows if row["text"].isascii()]  # Chinese tokens would be joined without spaces
    tagged = []
    for row in rows:
        tags, place = [], 0
        for token in row["text"].split():
            inside = [e for e in row["entities"] if e["start"] <= place < e["end"]]
            tags.append(f"{'B' if inside[0]['start'] == place else 'I'}-{inside[0]['label']}" if inside else "O")
            place += len(token) + 1
        tagged.append({"tokens": row["text"].split(), "tags": tags})
    one = evaluate_run(finished, str(write_jsonl(tmp_path / "texts.jsonl", rows)))
    assert evaluate_run(finished, str(write_jsonl(tmp_path / "tokens.jsonl", tagged))) == pytest.approx(one, rel=1e-5)


def test_the_report_names_what_was_missed_and_compare_tests_f1(finished, tmp_path):
    wrong = {"text": "the film z was great", "entities": [[4, 8, "PLACE"]]}
    report = tmp_path / "report.html"
    evaluate_run(finished, str(write_jsonl(tmp_path / "wrong.jsonl", [wrong])), report)
    page = report.read_text(encoding="utf-8")
    assert "PLACE “film” (4–8)" in page
    assert "PLACE “z” (9–10)" in page
    assert "what is longer is cut into overlapping windows" in page
    found = compare([finished, finished]).runs[1]
    assert not found.untested
    assert {d.metric: d.difference for d in found.differences} == {"precision": 0, "recall": 0, "f1": 0}


def test_the_server_answers_as_predict_does(finished, exported):
    texts = ["the film x y was very good 7", "", "公园 good", "not one", "Z is 3 4 . " * 9]
    expected = list(predict(finished, texts, None))
    assert expected[0]["label"] == ["PLACE", "NUM"]
    assert (expected[0]["start"], expected[0]["end"]) == ([9, 27], [12, 28])
    assert expected[1] == {"start": [], "end": [], "label": [], "score": [], "truncated": False}
    for name in (finished, exported):
        for answer, other in zip(predict(name, texts, None), expected, strict=True):
            assert answer.pop("score") == pytest.approx(other["score"], abs=1e-5)
            assert answer == {name: value for name, value in other.items() if name != "score"}
    with BackgroundServer([str(exported).rpartition("/")[0]]) as server:
        rows = Client(server.url).predict("tagging", [{"text": text} for text in texts])
    for row, other in zip(rows, expected, strict=True):
        count = len(other["start"])
        assert row["start"][:count] == other["start"]
        assert row["label"] == other["label"] + [""] * (len(row["label"]) - count)
        assert set(row["start"][count:]) <= {-1}


def test_an_entity_is_found_anywhere_in_a_long_text_with_the_score_of_a_short_one(exported):
    """Every token is a word here, so that a window is a slice of the words."""
    rng = random.Random(1)
    words = rng.choices([word for word in FILLER if word.isascii()], k=5000)
    for place in range(3, 5000, 37):
        words[place] = rng.choice(["z", "7"])
    text, starts = " ".join(words), np.cumsum([0, *(len(word) + 1 for word in words)])
    room, shared = 14, 4  # of max_length 16
    places, begins = range(3, 5000, 37), []
    for place in places:
        number = max(0, place - room) // (room - shared)
        nearby = [(room - shared) * (number + more) for more in (0, 1, 2)]
        covering = [b for b in nearby if b <= place < b + room]
        begins.append(max(covering, key=lambda b: min(place - b if b else room, b + room - 1 - place)))
    shorts = [" ".join(words[begin : begin + room]) for begin in begins]
    long, *short = (by_place(answer) for answer in predict(exported, [text, *shorts], None))
    found = 0
    for place, begin, answer in zip(places, begins, short, strict=True):
        label, score = answer.get(starts[place] - starts[begin], ("", 0.0))
        found += label == ("PLACE" if words[place] == "z" else "NUM")
        assert long.get(starts[place], ("", 0.0)) == (label, pytest.approx(score, abs=1e-3))
    assert found > 0.9 * len(places)


def by_place(answer: dict) -> dict[int, tuple[str, float]]:
    return {
        s: (label, score) for s, label, score in zip(*(answer[n] for n in ("start", "label", "score")), strict=True)
    }


def test_inspect_counts_the_labels_and_lists_what_is_malformed(finished, tmp_path):
    path = write_tagging_recipe(tmp_path)
    with (tmp_path / "train.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"text": "abc", "entities": [[0, 9, "NUM"]]}\n')
    recipe = load_recipe(path)
    found = inspect(recipe, load_backbone(recipe), quietly)
    assert found.splits["train"]["rows"] == 240
    assert found.splits["train"]["refused"] == 1
    said = json.dumps([f.to_json() for f in found.findings])
    assert "train.jsonl line 241" in said
    assert "entity 1 goes from 0 to 9" in said
    assert set(found.splits["train"]["labels"]["rows"]) == set(ENTITIES)
    assert not [f for f in found.findings if f.kind == "truncated"]
