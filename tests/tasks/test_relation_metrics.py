"""Scores of relations against scikit-learn, and the official score against a reading of the official scorer."""

import numpy as np
import pytest
from sklearn.metrics import f1_score, precision_recall_fscore_support

from keras_ft.evaluation.relation import RelationView
from keras_ft.tasks.relation_metrics import SEMEVAL, RelationMetrics

TYPES = ("Cause-Effect", "Message-Topic", "Component-Whole")
DIRECTED = ["Other", *(f"{name}({pair})" for name in TYPES for pair in ("e1,e2", "e2,e1"))]


def official(expected: list[str], predicted: list[str]) -> float:
    """semeval2010_task8_scorer-v1.2.pl, "(9+1)-way evaluation taking directionality into account", in its own words.

    A confusion matrix over types; the right type in the wrong direction goes to a column `xDIRx` of its own, which
    counts among what was proposed for the type.
    """
    matrix: dict[tuple[str, str], int] = {}
    wrong_direction: dict[str, int] = {}
    for truth, said in zip(expected, predicted, strict=True):
        row, column = truth.split("(")[0], said.split("(")[0]
        if row == column and truth != said:
            wrong_direction[row] = wrong_direction.get(row, 0) + 1
        else:
            matrix[row, column] = matrix.get((row, column), 0) + 1
    scores = []
    types = {text.split("(")[0] for text in [*expected, *predicted]} - {"Other"}
    for name in types:
        correct = matrix.get((name, name), 0)
        proposed = sum(count for (_, column), count in matrix.items() if column == name) + wrong_direction.get(name, 0)
        there = sum(count for (row, _), count in matrix.items() if row == name) + wrong_direction.get(name, 0)
        precision, recall = correct / proposed if proposed else 0, correct / there if there else 0
        scores.append(2 * precision * recall / (precision + recall) if precision + recall else 0)
    return sum(scores) / len(scores)


def drawn(seed: int, labels: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    expected = random.integers(0, labels, 200)
    return expected, np.where(random.random(200) < 0.6, expected, random.integers(0, labels, 200))


def measured(labels, negative, expected, predicted, batches: int = 1) -> dict[str, float]:
    metrics = RelationMetrics(labels, negative)
    for part in np.array_split(np.arange(len(expected)), batches):
        names = np.array([labels[i].encode() for i in predicted[part]])
        metrics.update({"labels": names[:, None], "label": names}, {"label": expected[part]})
    assert tuple(metrics.result()) == metrics.names
    return metrics.result()


@pytest.mark.parametrize("seed", range(5))
def test_scores_are_those_of_the_references(seed):
    expected, predicted = drawn(seed, 5 if seed == 4 else 7)  # in the last, a type does not occur
    found = measured(DIRECTED, "Other", expected, predicted, batches=3)
    present = [i for i in np.union1d(expected, predicted) if DIRECTED[i] != "Other"]
    micro = precision_recall_fscore_support(expected, predicted, labels=present, average="micro")[:3]
    assert [found[name] for name in ("precision", "recall", "f1")] == pytest.approx(micro)
    assert found["macro_f1"] == pytest.approx(f1_score(expected, predicted, labels=present, average="macro"))
    assert found["accuracy"] == pytest.approx((expected == predicted).mean())
    names = [[DIRECTED[i] for i in numbers] for numbers in (expected, predicted)]
    assert found[SEMEVAL] == pytest.approx(official(*names))
    assert found[SEMEVAL] != pytest.approx(found["macro_f1"], abs=1e-4)


def test_without_a_negative_label_f1_is_accuracy_and_undirected_labels_have_no_official_score():
    expected, predicted = drawn(0, 3)
    found = measured(["born_in", "works_at", "lives_in"], None, expected, predicted)
    assert found["f1"] == pytest.approx(found["accuracy"])
    assert SEMEVAL not in found


def test_a_model_that_never_says_a_relation_scores_nothing_and_fails_nowhere():
    expected = np.array([1, 2, 0])
    found = measured(DIRECTED, "Other", expected, np.zeros(3, int))
    assert found == {"precision": 0, "recall": 0, "f1": 0, "macro_f1": 0, "accuracy": pytest.approx(1 / 3), SEMEVAL: 0}


def test_a_comparison_measures_what_the_run_measured_also_with_labels_of_another_run():
    expected, predicted = drawn(1, 7)
    view = RelationView({"labels": DIRECTED, "negative_label": "Other"})
    columns = {"label": expected, "predicted": predicted}
    found = view.weighted_metrics(columns, np.stack([np.ones(200), np.arange(200) % 2]))
    for name, value in measured(DIRECTED, "Other", expected, predicted).items():
        assert found[name][0] == pytest.approx(value), name
    for name, value in measured(DIRECTED, "Other", expected[1::2], predicted[1::2]).items():
        assert found[name][1] == pytest.approx(value), name
    strange = view.weighted_metrics(
        {"label": expected, "predicted": np.where(predicted == 3, 9, predicted)}, np.ones((1, 200))
    )
    assert strange[SEMEVAL][0] < found[SEMEVAL][0]
