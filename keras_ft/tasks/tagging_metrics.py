"""How good a tagger is: entities found, of those there are, as seqeval counts them (strict, BIO)."""

import json
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_ft.tasks.tag_schemes import Entity


@dataclass(frozen=True)
class Compared:
    """What was found in one text, and what there is.

    Attributes:
        gold: the entities of the data.
        predicted: of the model; of data that come as tokens, as their tags would say.
    """

    gold: list[Entity]
    predicted: list[Entity]

    @property
    def hits(self) -> list[Entity]:
        """Those found that are there."""
        return sorted(set(self.gold) & set(self.predicted))

    @property
    def missed(self) -> list[Entity]:
        """Those there that are not found."""
        return sorted(set(self.gold) - set(self.predicted))

    @property
    def wrong(self) -> list[Entity]:
        """Those found that are not there."""
        return sorted(set(self.predicted) - set(self.gold))


def compare(answers: dict[str, np.ndarray], targets: dict[str, Any]) -> list[Compared]:
    """Answers and targets of the same examples, side by side.

    Args:
        answers: `start`, `end`, `label`, `(examples, most entities)`.
        targets: `entities` and `words` of each, as JSON.
    """
    found = []
    rows = zip(answers["start"].tolist(), answers["end"].tolist(), answers["label"].tolist(), strict=True)
    for (starts, ends, labels), entities, words in zip(rows, targets["entities"], targets["words"], strict=True):
        spans = zip(starts, ends, labels, strict=True)
        predicted = [(start, end, label.decode()) for start, end, label in spans if start >= 0]
        if words:
            predicted = snapped(predicted, json.loads(words))
        found.append(Compared([(start, end, label) for start, end, label in json.loads(entities)], predicted))
    return found


def snapped(spans: Sequence[Entity], words: Sequence[Sequence[int]]) -> list[Entity]:
    """What BIO tags of given words would say of spans: a word has the tag of its first character.

    The words may be longer than those that spans are made of: "U.N." is one of CoNLL's words, and four of a text's.

    Args:
        spans: in their order, without overlap.
        words: where each given word begins and ends in the text.
    """
    starts = [word[0] for word in words]
    found: list[Entity] = []
    behind = -1  # the word with which the last entity would go on
    for start, end, label in spans:
        for i in range(bisect_left(starts, start), bisect_left(starts, end)):
            if starts[i] == start:
                found.append((starts[i], words[i][1], label))
            elif i == behind and found[-1][2] == label:
                found[-1] = (found[-1][0], words[i][1], label)
            else:
                continue  # I- behind nothing that it continues
            behind = i + 1
    return found


def counts(compared: Sequence[Compared], labels: Sequence[str]) -> dict[str, np.ndarray]:
    """`hits`, `predicted`, `gold`: how many entities of each label, `(examples, labels)` int32."""
    numbers = {label: number for number, label in enumerate(labels)}
    found = {name: np.zeros((len(compared), len(labels)), np.int32) for name in ("hits", "predicted", "gold")}
    for name, table in found.items():
        for i, row in enumerate(compared):
            for _, _, label in getattr(row, name):
                table[i, numbers[label]] += 1
    return found


def scores(hits: Any, predicted: Any, gold: Any) -> dict[str, Any]:
    """Precision, recall and F1 of counts, numbers or arrays; 0 where nothing is found or nothing there."""
    return {
        "precision": hits / np.maximum(predicted, 1e-9),
        "recall": hits / np.maximum(gold, 1e-9),
        "f1": 2 * hits / np.maximum(predicted + gold, 1e-9),
    }


class TaggingMetrics:
    """Precision, recall and F1 of entities over all examples given, the same as seqeval's (micro average).

    Args:
        labels: names, in the order of their numbers.
    """

    names = ("precision", "recall", "f1")

    def __init__(self, labels: Sequence[str]):
        self.labels = labels
        self.total = dict.fromkeys(("hits", "predicted", "gold"), 0)

    def update(self, answers: dict[str, np.ndarray], targets: dict[str, Any]) -> None:
        """Add a batch of `answer`s with the texts kept of its examples."""
        for name, table in counts(compare(answers, targets), self.labels).items():
            self.total[name] += int(table.sum())

    def result(self) -> dict[str, float]:
        """The value of each of `names`."""
        return {name: float(value) for name, value in scores(**self.total).items()}
