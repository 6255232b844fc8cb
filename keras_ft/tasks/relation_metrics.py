"""How well relations are found: the label that says that there is none is not looked for."""

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from keras_ft.tasks.classification_metrics import ClassificationMetrics

SCORES = ("precision", "recall", "f1", "macro_f1", "accuracy")
SEMEVAL = "semeval_f1"
_DIRECTED = re.compile(r"(.+)\((?:e1,e2|e2,e1)\)")


class Counts(NamedTuple):
    """How many examples, or what they weigh, by label: `(…, labels)` each.

    Attributes:
        hits: right answers.
        support: examples.
        given: answers.
    """

    hits: np.ndarray
    support: np.ndarray
    given: np.ndarray


class RelationMetrics(ClassificationMetrics):
    """The scores of `relation_scores` over all examples given, and what an abstaining model leaves out.

    Args:
        labels: names, in the order of their numbers.
        negative: the one that says that there is no relation, if one does.
        abstains: whether `label` is empty on some examples.
    """

    def __init__(self, labels: list[str], negative: str | None, abstains: bool = False):
        super().__init__(labels, abstains)
        self.labels, self.negative = labels, negative

    @property
    def scores(self) -> tuple[str, ...]:
        """Their names."""
        return (*SCORES, SEMEVAL) if relation_types(self.labels, self.negative) else SCORES

    def measured(self) -> dict[str, float]:
        """The value of each of `scores`."""
        expected, predicted = (np.array(numbers, np.int64) for numbers in (self.expected, self.predicted))
        of_label = (expected[expected == predicted], expected, predicted)
        counts = Counts(*(np.bincount(numbers, minlength=len(self.labels)) for numbers in of_label))
        return {name: float(value) for name, value in relation_scores(counts, self.labels, self.negative).items()}


def relation_types(labels: Sequence[str], negative: str | None) -> list[str] | None:
    """`Name` of each label that is called `Name(e1,e2)` or `Name(e2,e1)`, but for the negative one.

    None where one is called otherwise, or none is left.
    """
    found = [_DIRECTED.fullmatch(label) for label in labels if label != negative]
    return [match[1] for match in found if match] if found and all(found) else None


def relation_scores(counts: Counts, labels: Sequence[str], negative: str | None) -> dict[str, np.ndarray]:
    """What relations are measured by, `(…)` each.

    `precision`, `recall` and `f1` are over all examples but for the negative label (micro; Zhang et al. 2017, TACRED);
    `macro_f1` is the mean F1 of the labels that occur, but for it; `accuracy` counts every label. Where labels have
    directions, `semeval_f1` is the official score of SemEval-2010 task 8 (Hendrickx et al. 2010): the mean F1 of the
    types of relation that occur, where an answer of the right type in the wrong direction is wrong.

    Args:
        counts: by label.
        labels: their names; numbers beyond them are of labels without a name.
        negative: the label that says that there is no relation, if one does.
    """
    size = counts.hits.shape[-1]
    is_positive = np.array([name != negative for name in labels] + [True] * (size - len(labels)))
    positive = Counts(*(values[..., is_positive] for values in counts))
    right, there, said = (values.sum(-1) for values in positive)
    scores = {
        "precision": _ratio(right, said),
        "recall": _ratio(right, there),
        "f1": _ratio(2 * right, there + said),
        "macro_f1": _mean_f1(positive),
        "accuracy": _ratio(counts.hits.sum(-1), counts.support.sum(-1)),
    }
    types = relation_types(labels, negative)
    if types:
        nameless = [f"({number})" for number in range(len(labels), size)]
        numbers = np.unique([*types, *nameless], return_inverse=True)[1]
        of_type = np.eye(numbers.max() + 1)[numbers]  # (labels, types)
        scores[SEMEVAL] = _mean_f1(Counts(*(values @ of_type for values in positive)))
    return scores


def _mean_f1(counts: Counts) -> np.ndarray:
    """Of what occurs."""
    both = counts.support + counts.given
    return _ratio(_ratio(2 * counts.hits, both).sum(-1), (both > 0).sum(-1))


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return part / np.maximum(whole, 1e-9)
