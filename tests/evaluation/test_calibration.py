import numpy as np
import pytest

from keras_ft.evaluation.calibration import expected_calibration_error, reliability


def ece_by_the_definition(confidence, correct, bins):
    total = 0.0
    for m in range(bins):
        inside = [i for i, c in enumerate(confidence) if m / bins < c <= (m + 1) / bins]
        if inside:
            gap = abs(sum(correct[i] for i in inside) - sum(confidence[i] for i in inside)) / len(inside)
            total += gap * len(inside) / len(confidence)
    return total


@pytest.mark.parametrize("bins", [1, 7, 15])
def test_ece_is_that_of_its_definition(bins):
    rng = np.random.default_rng(0)
    confidence = rng.random(500)
    correct = rng.random(500) < confidence**2
    expected = ece_by_the_definition(confidence.tolist(), correct.tolist(), bins)
    assert expected_calibration_error(confidence, correct, bins) == pytest.approx(expected, abs=1e-12)


def test_sure_and_right_is_perfect_and_sure_and_wrong_is_the_worst():
    assert expected_calibration_error(np.ones(5), np.ones(5, bool)) == 0
    assert expected_calibration_error(np.ones(5), np.zeros(5, bool)) == 1
    assert expected_calibration_error(np.full(4, 0.75), np.array([1, 1, 1, 0], bool)) == pytest.approx(0)
    assert expected_calibration_error(np.zeros(0), np.zeros(0, bool)) == 0


def test_a_bin_holds_its_upper_edge_and_every_example_is_in_one():
    found = reliability(np.array([0.0, 0.2, 0.2000001, 1.0]), np.array([0, 1, 0, 1]), bins=5)
    assert found.counts.tolist() == [2, 1, 0, 0, 1]
    assert found.accuracy[0] == 0.5
