"""The answers that rows of data have: a label, several of them, or a number."""

from collections.abc import Hashable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.sparse import csr_array


@dataclass
class Answers:
    """The different answers of all rows, each known by a number.

    Attributes:
        strata: what `Task.strata` gives, by number; those of train come first.
    """

    strata: list[Hashable]

    def text(self, number: int | np.integer) -> str:
        """An answer as people read it."""
        answer = self.strata[number]
        if isinstance(answer, tuple):
            return ", ".join(answer) or "no label"
        return f"{answer:g}" if isinstance(answer, float) else str(answer)

    @property
    def are_numbers(self) -> bool:
        """Whether what is learned is a number."""
        return bool(self.strata) and all(isinstance(answer, float) for answer in self.strata)

    @property
    def are_several(self) -> bool:
        """Whether a row may have several labels, or none."""
        return bool(self.strata) and isinstance(self.strata[0], tuple)

    @cached_property
    def values(self) -> np.ndarray:
        """`(answers,)` float64, of answers that are numbers."""
        return np.array(self.strata, np.float64)

    @cached_property
    def labels(self) -> list[str]:
        """The names of the labels that occur; those of train come first."""
        return list(dict.fromkeys(label for answer in self.strata for label in _labels(answer)))

    @cached_property
    def membership(self) -> csr_array:
        """`(answers, labels)`, 1 where an answer has a label."""
        numbers = {label: number for number, label in enumerate(self.labels)}
        found = [[numbers[label] for label in _labels(answer)] for answer in self.strata]
        ends = np.cumsum([0, *map(len, found)])
        flat = np.array([number for row in found for number in row], np.int64)
        return csr_array((np.ones(len(flat), np.int64), flat, ends), shape=(len(found), len(numbers)))


def _labels(answer: Hashable) -> tuple[str, ...]:
    if isinstance(answer, tuple):
        return answer
    return (answer,) if isinstance(answer, str) else ()
