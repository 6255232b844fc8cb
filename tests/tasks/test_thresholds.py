import numpy as np
import pytest
from sklearn.metrics import f1_score

from keras_ft.tasks.thresholds import FEWEST_POSITIVES, best_threshold, between, choose_thresholds


@pytest.mark.parametrize("seed", range(6))
def test_no_threshold_gives_a_higher_f1(seed):
    rng = np.random.default_rng(seed)
    present = rng.random(60) < 0.3
    scores = np.round(np.clip(0.4 * present + rng.random(60) * 0.6, 0, 1), 1 + seed % 2).astype("float32")  # with ties
    chosen = best_threshold(scores, present)
    every = [f1_score(present, scores >= cut, zero_division=0) for cut in [*np.unique(scores), 2.0]]
    assert f1_score(present, scores >= np.float32(chosen)) == pytest.approx(max(every))
    assert chosen not in scores.astype(float)  # no score lies on it, where rounding could tip it


def test_where_nothing_is_present_the_threshold_is_one_half_and_where_all_is_it_is_nought():
    scores = np.array([0.1, 0.7], "float32")
    assert best_threshold(scores, np.array([False, False])) == 0.5
    assert best_threshold(scores, np.array([True, True])) == 0


def test_neighbours_without_a_number_between_them_give_the_upper_one():
    below = np.float32(0.3)
    above = np.nextafter(below, np.float32(1))
    assert between(above, below) == above


def test_a_rare_label_takes_the_threshold_that_is_best_for_all_together():
    rng = np.random.default_rng(0)
    present = np.zeros((400, 3), bool)
    present[:100, 0] = present[200:, 1] = True
    present[: FEWEST_POSITIVES - 1, 2] = True
    scores = (rng.random((400, 3)) * 0.5 + present * [0.1, 0.4, 0.05]).astype("float32")
    chosen = choose_thresholds(scores, present)
    assert chosen.own.tolist() == [True, True, False]
    assert (
        chosen.by_label[2] == np.float32(chosen.shared) == np.float32(best_threshold(scores.ravel(), present.ravel()))
    )
    assert chosen.by_label[0] == np.float32(best_threshold(scores[:, 0], present[:, 0])) != chosen.by_label[1]
