"""Paired tests against brute force, scipy and scikit-learn."""

import math
import time

import numpy as np
import pytest
from scipy.stats import permutation_test
from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef

from keras_ft.evaluation.classification import ClassificationView
from keras_ft.evaluation.comparison.significance import differences, mcnemar

VIEW = ClassificationView({"labels": list("abcde")})


def models(count: int, labels: int = 5, first: float = 0.7, second: float = 0.7, seed: int = 0):
    random = np.random.default_rng(seed)
    label = random.integers(0, labels, count)

    def answers(share):
        return np.where(random.random(count) < share, label, random.integers(0, labels, count))

    return {"label": label, "predicted": answers(first)}, {"label": label, "predicted": answers(second)}


def macro_f1(label, predicted) -> float:
    return f1_score(label, predicted, average="macro", zero_division=0)


@pytest.mark.parametrize("seed", range(5))
def test_weighted_metrics_are_scikit_learns_on_the_repeated_examples(seed):
    random = np.random.default_rng(seed)
    columns = {"label": random.integers(0, 5, 30), "predicted": random.integers(0, 5, 30)}
    weights = random.integers(0, 3, (4, 30)) * (columns["label"] != 2)  # a label that is only predicted
    found = VIEW.weighted_metrics(columns, weights)
    for r in range(4):
        pair = np.repeat(columns["label"], weights[r]), np.repeat(columns["predicted"], weights[r])
        assert found["accuracy"][r] == pytest.approx(accuracy_score(*pair))
        assert found["macro_f1"][r] == pytest.approx(macro_f1(*pair))
        assert found["mcc"][r] == pytest.approx(matthews_corrcoef(*pair))


def test_one_label_and_one_answer_have_no_correlation():
    columns = {"label": np.zeros(3, int), "predicted": np.zeros(3, int)}
    assert VIEW.weighted_metrics(columns, np.ones((1, 3)))["mcc"] == 0


@pytest.mark.parametrize(("first_alone", "second_alone"), [(0, 0), (3, 9), (1, 0), (20, 20), (2, 30)])
def test_mcnemar_is_the_tail_of_the_binomial(first_alone, second_alone):
    first = np.array([True] * first_alone + [False] * second_alone + [True] * 7)
    second = np.array([False] * first_alone + [True] * second_alone + [True] * 7)
    discordant = first_alone + second_alone
    tail = sum(math.comb(discordant, k) for k in range(min(first_alone, second_alone) + 1)) / 2**discordant
    assert mcnemar(first, second) == pytest.approx(min(1.0, 2 * tail))


def test_the_permutation_test_is_that_of_all_exchanges():
    first, second = models(10, labels=2, first=0.1, second=0.9, seed=3)
    found = {d.metric: d for d in differences(VIEW, first, second)}
    label = first["label"]
    every = permutation_test(  # exact: 10 examples can be exchanged in 1,024 ways
        (first["predicted"], second["predicted"]),
        lambda x, y: macro_f1(label, y) - macro_f1(label, x),
        permutation_type="samples",
        n_resamples=np.inf,
    )
    assert found["macro_f1"].difference == pytest.approx(every.statistic)
    assert 0.02 < every.pvalue < 0.9
    assert found["macro_f1"].p_value == pytest.approx(every.pvalue, abs=0.05)


def test_the_interval_is_that_of_resampled_examples():
    first, second = models(300, first=0.6, second=0.75)
    found = {d.metric: d for d in differences(VIEW, first, second)}
    random = np.random.default_rng(7)
    gaps = []
    for _ in range(300):
        drawn = random.integers(0, 300, 300)
        label = first["label"][drawn]
        gaps.append(macro_f1(label, second["predicted"][drawn]) - macro_f1(label, first["predicted"][drawn]))
    low, high = np.quantile(gaps, [0.025, 0.975])
    assert (found["macro_f1"].low, found["macro_f1"].high) == pytest.approx((low, high), abs=0.025)


def test_a_planted_difference_is_significant_and_chance_is_not():
    better = differences(VIEW, *models(1000, first=0.6, second=0.75))
    assert all(d.significant and d.difference > 0 and d.low > 0 for d in better)
    same = models(1000)[0]
    assert all(d.p_value == 1 and d.difference == d.low == d.high == 0 for d in differences(VIEW, same, same))


def test_equal_models_seem_different_as_often_as_the_level_says():
    found = [d for seed in range(60) for d in differences(VIEW, *models(80, seed=seed)) if d.metric == "mcc"]
    assert sum(d.significant for d in found) <= 9  # 3 are expected; 10 or more come once in 1,000


def test_the_seed_alone_decides():
    pair = models(200, second=0.75)
    assert differences(VIEW, *pair) == differences(VIEW, *pair)
    assert differences(VIEW, *pair) != differences(VIEW, *pair, seed=1)


def test_a_hundred_thousand_examples_take_seconds():
    view = ClassificationView({"labels": [str(i) for i in range(77)]})
    pair = models(100_000, labels=77)
    started = time.process_time()
    differences(view, *pair)
    assert time.process_time() - started < 60
