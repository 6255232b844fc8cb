"""Scores that mean what they say: what a classifier learns from its outputs on validation examples."""

from dataclasses import dataclass

import numpy as np

from keras_ft.tasks.thresholds import between

FEWEST_EXAMPLES = 100  # fewer do not tell a temperature
BOUNDS = (0.25, 10.0)


@dataclass(frozen=True)
class Threshold:
    """A score below which no answer is given, and what that means on the examples it was chosen on.

    Attributes:
        score: the threshold.
        coverage: the answered fraction of the examples.
        accuracy: of the answered ones.
        answered: how many they are.
    """

    score: float
    coverage: float
    accuracy: float
    answered: int


def nats(logits: np.ndarray, label: np.ndarray, temperature: float = 1.0) -> float:
    """Mean cross-entropy of softmax(logits / temperature).

    Args:
        logits: `(examples, classes)`.
        label: `(examples,)` integers.
        temperature: above 0.
    """
    from scipy.special import logsumexp

    scaled = logits.astype(np.float64) / temperature
    return float(np.mean(logsumexp(scaled, axis=-1) - scaled[np.arange(len(label)), label]))


def fit_temperature(logits: np.ndarray, label: np.ndarray) -> float:
    """The temperature under which the labels are most probable (Guo et al. 2017, arXiv:1706.04599, section 4.2).

    It is sought between 0.25 and 10. Where every label is the most probable class, colder is always better.

    Args:
        logits: `(examples, classes)`.
        label: `(examples,)` integers.
    """
    from scipy.optimize import minimize_scalar

    log_bounds = tuple(np.log(BOUNDS))
    found = minimize_scalar(lambda log_t: nats(logits, label, np.exp(log_t)), bounds=log_bounds, method="bounded")
    return round(float(np.exp(found.x)), 4)  # what lies beyond is noise, and would differ between two runs of a recipe


def choose_threshold(score: np.ndarray, correct: np.ndarray, accuracy: float) -> Threshold:
    """The lowest threshold whose answers reach an accuracy; if none does, the one that comes nearest.

    It is a float32, as served scores are, and lies halfway between two neighbouring ones, so that rounding does not
    move an example across it; where no float32 lies between them, it is the upper one. Scores equal to it are answered.

    Args:
        score: `(examples,)` of the best label, as they are served.
        correct: `(examples,)` bool.
        accuracy: wanted of the answered examples.
    """
    score = score.astype(np.float32)
    order = np.argsort(-score, kind="stable")
    falling = score[order]
    reached = np.cumsum(correct[order]) / np.arange(1, len(score) + 1)  # by the number of answered examples
    ends = np.flatnonzero(np.append(falling[1:] < falling[:-1], True))  # equal scores are answered together
    good = ends[reached[ends] >= accuracy]
    last = good[-1] if len(good) else ends[reached[ends] == reached[ends].max()][-1]
    threshold = between(falling[last], falling[last + 1]) if last + 1 < len(score) else np.float32(0)
    answered = score >= threshold
    return Threshold(float(threshold), float(answered.mean()), float(correct[answered].mean()), int(answered.sum()))
