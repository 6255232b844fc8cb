import numpy as np
import pytest
from scipy.special import softmax

from keras_ft.tasks.confidence import choose_threshold, fit_temperature, nats


def sample(temperature: float, examples: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    """Logits and labels drawn from their probabilities at a temperature."""
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 4, (examples, 5)).astype("float32")
    p = softmax(logits / temperature, axis=-1)
    return logits, (rng.random((examples, 1)) > p.cumsum(-1)).sum(-1).clip(0, 4)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_the_temperature_that_labels_were_drawn_at_is_found(temperature):
    assert fit_temperature(*sample(temperature)) == pytest.approx(temperature, rel=0.05)


def test_no_temperature_nearby_is_better():
    logits, label = sample(2.0)
    found = fit_temperature(logits, label)
    best = nats(logits, label, found)
    assert best < nats(logits, label, 1.02 * found)
    assert best < nats(logits, label, found / 1.02)


def test_no_mistakes_or_nothing_but_mistakes_stay_within_bounds():
    logits = 5 * np.eye(3, dtype="float32")[np.arange(30) % 3]
    assert fit_temperature(logits, np.arange(30) % 3) == pytest.approx(0.25, rel=1e-3)
    assert fit_temperature(logits, (np.arange(30) + 1) % 3) == pytest.approx(10, rel=1e-3)


SCORE = np.array([0.9, 0.6, 0.8, 0.7, 0.5])
CORRECT = np.array([True, True, True, False, False])


@pytest.mark.parametrize(
    ("accuracy", "score", "answered"), [(1.0, 0.75, 2), (0.75, 0.55, 4), (0.7, 0.55, 4), (0.6, 0.0, 5), (0.1, 0.0, 5)]
)
def test_the_lowest_threshold_that_reaches_the_accuracy_is_chosen(accuracy, score, answered):
    chosen = choose_threshold(SCORE, CORRECT, accuracy)
    assert chosen.score == pytest.approx(score)
    assert (chosen.score <= SCORE).sum() == chosen.answered == answered
    assert chosen.accuracy == CORRECT[chosen.score <= SCORE].mean() >= accuracy
    assert chosen.coverage == answered / 5


def test_equal_scores_are_answered_together():
    chosen = choose_threshold(np.array([0.9, 0.9, 0.4]), np.array([True, False, False]), 0.9)
    assert (chosen.answered, chosen.accuracy) == (2, 0.5)


def test_scores_that_are_served_as_equal_are_answered_together():
    score = 1 - np.array([1e-12, 1e-10, 1e-9, 0.5])  # three times 1 in float32
    chosen = choose_threshold(score, np.array([True, True, False, False]), 0.99)
    assert (chosen.answered, chosen.accuracy) == (3, 2 / 3)


@pytest.mark.parametrize("above", [np.float32(1), np.float32(1) - np.spacing(np.float32(0.5)), np.float32(0.7)])
def test_between_neighbouring_floats_the_threshold_keeps_them_apart(above):
    below = np.nextafter(above, np.float32(0))
    chosen = choose_threshold(np.array([below, above, above]), np.array([False, True, True]), 1.0)
    assert chosen.score == np.float32(chosen.score) == above
    assert (chosen.answered, chosen.accuracy) == (2, 1.0)


def test_an_accuracy_out_of_reach_gives_the_best_there_is():
    chosen = choose_threshold(SCORE, ~CORRECT, 0.95)
    assert chosen.accuracy == 0.4 == (~CORRECT)[chosen.score <= SCORE].mean()
