"""From which score on a label is given: thresholds chosen for F1 on validation examples.

Lewis 1995 (SIGIR) for F1 over thresholds; Yang 2001 (SIGIR), "SCut", for one threshold a label, which overfits where
a label is rare, and for falling back there.
"""

from dataclasses import dataclass

import numpy as np

HALF = 0.5
FEWEST_POSITIVES = 20  # examples with a label; fewer do not tell its threshold


@dataclass(frozen=True)
class Thresholds:
    """What was chosen.

    Attributes:
        shared: the one that is best for the micro-average of F1.
        by_label: `(labels,)` float32; `shared` where `own` is false.
        own: `(labels,)` whether a label has enough examples for a threshold of its own.
    """

    shared: float
    by_label: np.ndarray
    own: np.ndarray


def choose_thresholds(scores: np.ndarray, present: np.ndarray) -> Thresholds:
    """For each label the threshold with the highest F1; the shared one for labels of fewer than 20 examples.

    Args:
        scores: `(examples, labels)` float32, as they are served.
        present: `(examples, labels)` bool.
    """
    shared = best_threshold(scores.ravel(), present.ravel())
    own = present.sum(axis=0) >= FEWEST_POSITIVES
    chosen = [best_threshold(scores[:, i], present[:, i]) if own[i] else shared for i in range(scores.shape[1])]
    return Thresholds(shared, np.array(chosen, np.float32), own)


def best_threshold(scores: np.ndarray, present: np.ndarray) -> float:
    """The threshold with the highest F1 of the answers whose score reaches it; 0.5 where nothing is present.

    It is a float32 halfway between two neighbouring scores, so that rounding does not move an answer across it. Of
    thresholds with equal F1 the highest is taken.

    Args:
        scores: `(answers,)` float32.
        present: `(answers,)` bool: which answers would be right.
    """
    if not present.any():
        return HALF
    order = np.argsort(-scores, kind="stable")
    falling = scores[order]
    right = np.cumsum(present[order])  # by the number of answers given
    ends = np.flatnonzero(np.append(falling[1:] < falling[:-1], True))  # equal scores are given together
    f1 = 2 * right[ends] / (ends + 1 + right[-1])
    last = ends[np.argmax(f1)]
    return float(between(falling[last], falling[last + 1])) if last + 1 < len(falling) else 0.0


def between(above: np.float32, below: np.float32) -> np.float32:
    """The float32 halfway between two scores; the upper one where there is none between them."""
    middle = np.float32((float(above) + float(below)) / 2)
    return middle if middle > below else above
