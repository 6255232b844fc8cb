"""Resampled metrics of multilabel and regression against scikit-learn and scipy on the repeated examples."""

import numpy as np
import pytest
from scipy.stats import pearsonr, spearmanr
from sklearn.metrics import accuracy_score, f1_score

from keras_ft.evaluation.comparison.significance import differences
from keras_ft.evaluation.multilabel import MultilabelView
from keras_ft.evaluation.regression import RegressionView

LABELS = MultilabelView({"labels": ["a", "b", "c"], "thresholds": [0.5] * 3})
NUMBERS = RegressionView({})


@pytest.mark.parametrize("seed", range(3))
def test_weighted_f1_of_several_labels_is_scikit_learns(seed):
    rng = np.random.default_rng(seed)
    columns = {"labels": rng.random((30, 3)) < [0.5, 0.2, 0.0], "predicted": rng.random((30, 3)) < 0.4}
    columns["predicted"][:10] = columns["labels"][:10]
    weights = rng.integers(0, 3, (4, 30))
    found = LABELS.weighted_metrics(columns, weights)
    for r in range(4):
        pair = [np.repeat(columns[name], weights[r], axis=0) for name in ("labels", "predicted")]
        assert found["accuracy"][r] == pytest.approx(accuracy_score(*pair))
        for average in ("micro", "macro"):
            assert found[f"{average}_f1"][r] == pytest.approx(f1_score(*pair, average=average, zero_division=0))


@pytest.mark.parametrize("seed", range(3))
def test_weighted_correlations_are_scipys_with_ties_and_repetitions(seed):
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 5, 40).astype("float32")
    columns = {"label": label, "score": np.round(label + rng.normal(0, 2, 40), 1).astype("float32")}
    weights = rng.integers(0, 3, (4, 40))
    found = NUMBERS.weighted_metrics(columns, weights)
    for r in range(4):
        pair = [np.repeat(columns[name].astype(float), weights[r]) for name in ("label", "score")]
        assert found["pearson"][r] == pytest.approx(pearsonr(*pair).statistic)
        assert found["spearman"][r] == pytest.approx(spearmanr(*pair).statistic)
        assert found["mse"][r] == pytest.approx(np.mean((pair[0] - pair[1]) ** 2))


def test_scores_that_are_the_same_throughout_correlate_with_nothing():
    columns = {"label": np.arange(4.0), "score": np.ones(4)}
    found = NUMBERS.weighted_metrics(columns, np.ones((1, 4)))
    assert found["pearson"] == found["spearman"] == 0


def test_a_better_model_is_found_significantly_better():
    rng = np.random.default_rng(0)
    label = rng.normal(size=300)
    good, bad = ({"label": label, "score": label + rng.normal(0, s, 300)} for s in (0.5, 1.5))
    found = {d.metric: d for d in differences(NUMBERS, bad, good)}
    assert all(d.significant for d in found.values())
    assert found["spearman"].difference > 0 > found["mse"].difference


def test_labels_of_another_run_are_taken_by_their_names():
    other = MultilabelView({"labels": ["c", "x", "a"], "thresholds": [0.5] * 3})
    columns = {"labels": np.array([[1, 0, 0], [0, 1, 1]], bool), "predicted": np.array([[0, 0, 1], [0, 0, 0]], bool)}
    found = LABELS.in_terms_of(other, columns)  # c, x, a, b
    assert found["labels"].tolist() == [[False, False, True, False], [True, False, False, True]]
    assert found["predicted"].tolist() == [[True, False, False, False], [False] * 4]


def test_mistakes_are_the_worst_first():
    columns = {
        "labels": np.array([[1, 0, 0]] * 3, bool),
        "predicted": np.array([[1, 0, 0], [0, 0, 0], [1, 1, 0]], bool),
        "score": np.array([[0.9, 0.1, 0.2]] * 3),
        "loss": np.array([9.0, 1.0, 2.0]),
    }
    assert LABELS.mistakes(columns, 5).tolist() == [2, 1]
    assert dict(LABELS.describe_mistake(columns, 1)) == {
        "labelled": "a (0.900)",
        "predicted": "nothing",
        "loss": "1.00",
    }
    numbers = {"label": np.array([1.0, 2.0, 3.0]), "score": np.array([1.0, 5.0, 2.5])}
    assert NUMBERS.mistakes(numbers, 5).tolist() == [1, 2]
