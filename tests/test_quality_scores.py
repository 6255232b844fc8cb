"""The scorers and thresholds of `benchmarks/quality.py`: what they say of both sides decides a bar."""

import importlib
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"


@pytest.fixture
def metrics(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module("quality_metrics")


@pytest.fixture
def thresholds(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module("quality_thresholds")


def test_a_relation_in_the_wrong_direction_is_claimed_and_not_found(metrics):
    gold = ["Cause-Effect(e1,e2)"] * 3 + ["Message-Topic(e2,e1)", "Other", "Other"]
    said = [
        "Cause-Effect(e1,e2)",
        "Cause-Effect(e2,e1)",
        "Other",
        "Message-Topic(e2,e1)",
        "Message-Topic(e1,e2)",
        "Other",
    ]
    scores = metrics.score("semeval", [{"label": label} for label in gold], said)
    cause, topic = 2 * 1 / (2 + 3), 2 * 1 / (2 + 1)  # 2 · right / (claimed + there); Other has no part in the mean
    assert scores["macro_f1"] == pytest.approx(100 * (cause + topic) / 2)


@pytest.mark.parametrize(
    ("golds", "answer", "exact", "f1"),
    [
        (["The Eiffel Tower", "tower"], "eiffel tower!", 1.0, 1.0),
        (["in 1999", "1999"], "the year 1999", 0.0, 2 / 3),
        ([], "", 1.0, 1.0),
        ([], "Paris", 0.0, 0.0),
        (["Paris"], "", 0.0, 0.0),
        (["a a b b"], "b b b", 0.0, 4 / 5),
    ],
)
def test_answers_score_as_squad_scores_them(metrics, golds, answer, exact, f1):
    assert metrics.answer_score(golds, answer) == pytest.approx((exact, f1))


def test_no_answer_is_given_where_that_scores_best(thresholds, metrics):
    random = np.random.default_rng(2)
    margins = random.normal(size=40).tolist()
    golds = [["Paris"] if random.random() < 0.5 - 0.2 * margin else [] for margin in margins]
    texts = ["Paris" if random.random() < 0.8 else "Rome" for _ in margins]

    def total(bound):
        said = [text if margin <= bound else "" for text, margin in zip(texts, margins, strict=True)]
        return sum(metrics.answer_score(gold, answer)[1] for gold, answer in zip(golds, said, strict=True))

    best = max(total(bound) for bound in [min(margins) - 1, *margins])
    assert total(thresholds.null_threshold(texts, margins, golds)) == best
