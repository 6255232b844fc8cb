"""How good a model of several labels a text is, over all examples it was shown."""

from collections.abc import Sequence

import numpy as np
from scipy.special import expit

from keras_ft.tasks.thresholds import best_threshold


def f1_and_accuracy(present: np.ndarray, predicted: np.ndarray, weights: np.ndarray) -> dict[str, np.ndarray]:
    """What scikit-learn's `f1_score` and `accuracy_score` give for indicators, where example i counts so many times.

    Micro F1 is over all answers, macro F1 the mean over labels (0 for one that neither occurs nor is given), accuracy
    the share of examples whose labels are right as a whole.

    Args:
        present, predicted: `(examples, labels)` bool.
        weights: `(resamples, examples)`.

    Returns:
        Name → `(resamples,)`.
    """
    weights = weights.astype(np.float64, copy=False)
    hits, given, wanted = (weights @ found.astype(np.float64) for found in (present & predicted, predicted, present))
    total = given + wanted  # (resamples, labels)
    micro = 2 * hits.sum(axis=1) / np.maximum(total.sum(axis=1), 1e-9)
    macro = (2 * hits / np.maximum(total, 1e-9)).mean(axis=1)
    right = weights @ (present == predicted).all(axis=1).astype(np.float64)
    return {"micro_f1": micro, "macro_f1": macro, "accuracy": right / np.maximum(weights.sum(axis=1), 1e-9)}


class MultilabelMetrics:
    """Micro F1, macro F1 and the accuracy of whole answers over all examples given.

    Args:
        thresholds: `(labels,)` from which score on a label is given. Where they are still to be found, one for all
            labels is taken: the one with the highest micro F1 on the examples given.
    """

    names: tuple[str, ...] = ("micro_f1", "macro_f1", "accuracy")

    def __init__(self, thresholds: Sequence[float] | None):
        self.thresholds = None if thresholds is None else np.array(thresholds, np.float32)
        self.found: list[np.ndarray] = []  # scores, or where thresholds are known whether they are reached
        self.present: list[np.ndarray] = []

    def update(self, answers: dict[str, np.ndarray], targets: dict[str, np.ndarray]) -> None:
        """Add a batch of `logits` and their `labels`, `(examples, labels)` each."""
        scores = expit(answers["logits"].astype(np.float32))
        self.found.append(scores if self.thresholds is None else scores >= self.thresholds)
        self.present.append(targets["labels"].astype(bool))

    def result(self) -> dict[str, float]:
        """The value of each of `names`."""
        found, present = np.concatenate(self.found), np.concatenate(self.present)
        if self.thresholds is None:
            found = found >= np.float32(best_threshold(found.ravel(), present.ravel()))
        measured = f1_and_accuracy(present, found, np.ones((1, len(found))))
        return {name: float(values[0]) for name, values in measured.items()}
