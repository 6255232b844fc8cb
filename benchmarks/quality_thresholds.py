"""The threshold of "no answer" that `quality.py` chooses on validation for transformers."""

import numpy as np
from quality_metrics import answer_score


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
