"""Thresholds that `quality.py` chooses on validation for transformers, in the way keras_ft's tasks choose their own."""

import numpy as np
from quality_metrics import answer_score

FEWEST_POSITIVES = 10  # of a label on validation; where there are fewer, it takes the threshold of all labels together


def label_thresholds(scores: np.ndarray, gold: np.ndarray) -> np.ndarray:
    """For each label the score from which it is given: the best F1 of this label, or of all together if it is rare.

    Args:
        scores: `(rows, labels)` probabilities.
        gold: `(rows, labels)` of 0 and 1.

    Returns:
        `(labels,)`
    """
    of_all = best_threshold(scores.ravel(), gold.ravel())
    rare = gold.sum(axis=0) < FEWEST_POSITIVES
    return np.array([of_all if few else best_threshold(s, g) for few, s, g in zip(rare, scores.T, gold.T, strict=True)])


def best_threshold(scores: np.ndarray, gold: np.ndarray) -> float:
    """Midway between the two neighbouring scores that part claimed and unclaimed with the best F1.

    Args:
        scores, gold: `(items,)`
    """
    order = np.argsort(-scores, kind="stable")
    scores, found = scores[order], np.cumsum(gold[order])  # found: right ones among the first so many
    f1 = 2 * found / (np.arange(1, len(scores) + 1) + gold.sum())
    f1[:-1][scores[:-1] == scores[1:]] = -1.0  # equal scores cannot be parted
    best = int(f1.argmax())
    below = scores[best + 1] if best + 1 < len(scores) else 0.0
    return float((scores[best] + below) / 2)


def null_threshold(texts: list[str], margins: list[float], golds: list[list[str]]) -> float:
    """The margin of "no answer" over the best answer above which none is given: the best F1 on validation.

    Args:
        texts: the best answer to each question.
        margins: score of "no answer" minus score of that answer.
        golds: the right answers to each question; none where there is none.
    """
    given = np.array([answer_score(gold, text)[1] for gold, text in zip(golds, texts, strict=True)])
    withheld = np.array([answer_score(gold, "")[1] for gold in golds])
    order = np.argsort(margins, kind="stable")
    sorted_margins = np.asarray(margins)[order]
    # With the first so many answered: their F1, and that of the others withheld.
    gained = np.cumsum(np.concatenate([[withheld.sum()], (given - withheld)[order]]))
    answered = int(gained.argmax())
    if answered == 0:
        return float(sorted_margins[0] - 1.0)
    if answered == len(order):
        return float(sorted_margins[-1] + 1.0)
    return float(sorted_margins[answered - 1 : answered + 1].mean())
