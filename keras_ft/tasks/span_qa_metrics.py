"""How good answers from a text are over all examples, and the threshold above which none is better."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from keras_ft.tasks.answer_match import Match, scores
from keras_ft.tasks.span_qa_options import Normalization


def matches(
    normalization: Normalization, spans: dict[str, np.ndarray], targets: dict[str, np.ndarray], prefix: str = ""
) -> list[Match]:
    """The agreement of each example's answer with those that were wanted.

    Args:
        normalization: `squad` or `cmrc`.
        spans: `start` and `end` in code points of the context, −1 where there is no answer, `(examples,)` each.
        targets: the kept texts `context` and `answers`.
        prefix: of the names in `spans`.
    """
    return [
        scores(normalization, answer, json.loads(wanted))
        for answer, wanted in zip(cut_out(spans, targets, prefix), targets["answers"], strict=True)
    ]


def cut_out(spans: dict[str, np.ndarray], targets: dict[str, np.ndarray], prefix: str = "") -> list[str]:
    """The texts of spans; takes the same arguments as `matches`."""
    places = zip(targets["context"], spans[f"{prefix}start"], spans[f"{prefix}end"], strict=True)
    return [context[start:end] if start >= 0 else "" for context, start, end in places]


class SpanQAMetrics:
    """Exact match and F1, the best over the wanted answers of each question, and their mean over questions.

    Where answers may be empty also `has_answer_f1`, of the questions that have an answer, and `no_answer_f1`, of those
    that have none: the share of them whose answer is empty. Either is 0 where there are no such questions.

    Args:
        normalization: `squad` or `cmrc`.
        abstains: whether answers may be empty.
    """

    def __init__(self, normalization: Normalization, abstains: bool):
        self.normalization, self.abstains = normalization, abstains
        self.names: tuple[str, ...] = ("exact_match", "f1")
        if abstains:
            self.names += ("has_answer_f1", "no_answer_f1")
        self.found: list[Match] = []
        self.has_answer: list[bool] = []

    def update(self, answers: dict[str, np.ndarray], targets: dict[str, np.ndarray]) -> None:
        """Add a batch of spans with the kept texts of the same examples."""
        self.found += matches(self.normalization, answers, targets)
        self.has_answer += [wanted != "[]" for wanted in targets["answers"]]

    def result(self) -> dict[str, float]:
        """The value of each of `names`."""
        f1 = np.array([match.f1 for match in self.found])
        result = {"exact_match": _mean([match.exact for match in self.found]), "f1": _mean(f1)}
        if self.abstains:
            has_answer = np.array(self.has_answer, bool)
            result |= {"has_answer_f1": _mean(f1[has_answer]), "no_answer_f1": _mean(f1[~has_answer])}
        return result


@dataclass(frozen=True)
class Threshold:
    """A `no_answer_score` above which answers are left empty.

    Attributes:
        score: the threshold.
        f1: of all examples that it was chosen on.
        empty: the share of them whose answer is left empty.
    """

    score: float
    f1: float
    empty: float


def choose_threshold(no_answer_score: np.ndarray, f1: np.ndarray, f1_of_none: np.ndarray) -> Threshold:
    """The threshold with the best mean F1; of several the one nearest to 0.

    It is a float32 and lies halfway between two neighbouring scores, or one beyond all of them.

    Args:
        no_answer_score: `(examples,)`.
        f1: of the best span of each.
        f1_of_none: of the empty answer.
    """
    order = np.argsort(no_answer_score, kind="stable")
    rising = no_answer_score[order].astype(np.float32)
    gain = np.concatenate([[0.0], np.cumsum((f1 - f1_of_none)[order])])  # by the number of answered examples
    edges = np.concatenate([rising[:1] - 1, (rising[1:] + rising[:-1]) / 2, rising[-1:] + 1])
    apart = np.concatenate([[True], rising[1:] > rising[:-1], [True]])  # equal scores are answered together
    good = np.flatnonzero(apart & (gain >= gain[apart].max() - 1e-9))
    best = good[np.argmin(np.abs(edges[good]))]
    threshold = float(edges[best])
    answered = no_answer_score <= threshold
    return Threshold(threshold, _mean(np.where(answered, f1, f1_of_none)), _mean(~answered))


def _mean(values: Sequence[float] | np.ndarray) -> float:
    return float(np.mean(values)) if len(values) else 0.0
