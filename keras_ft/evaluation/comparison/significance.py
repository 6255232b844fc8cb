"""Whether two models that answered the same examples differ by more than chance.

Every test is paired. Examples with equal labels and answers are interchangeable, so that they are counted once as a
cell with a weight; a resample draws weights (`(resamples, cells)`) instead of examples, which is the same in law.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.stats import binomtest

from keras_ft.evaluation.view import Columns

RESAMPLES = 2000
LEVEL = 0.05
CELLS_AT_ONCE = 2_000_000
EXACT, PERMUTATION = "McNemar's exact test", "paired permutation test"


class Measured(Protocol):
    """Metrics of examples that count with weights: that part of a `View` which tests need."""

    @property
    def metric_columns(self) -> tuple[str, ...]:
        """What `weighted_metrics` reads."""

    @property
    def target_columns(self) -> tuple[str, ...]:
        """Those of them that do not depend on the model."""

    def right(self, columns: Columns) -> dict[str, np.ndarray]:
        """As `View.right`."""

    def weighted_metrics(self, columns: Columns, weights: np.ndarray) -> dict[str, np.ndarray]:
        """As `View.weighted_metrics`."""


@dataclass(frozen=True)
class Difference:
    """The difference of a metric between two models on the same examples.

    Attributes:
        metric: its name.
        difference: how much larger it is for the second model.
        low, high: the 95 % interval of the difference (percentiles of a paired bootstrap).
        p_value: how often chance alone gives a difference as large.
        method: the test that `p_value` is from.
    """

    metric: str
    difference: float
    low: float
    high: float
    p_value: float
    method: str

    @property
    def significant(self) -> bool:
        """Whether chance gives such a difference in less than one of twenty cases."""
        return self.p_value < LEVEL


def differences(view: Measured, first: Columns, second: Columns, seed: int = 0) -> list[Difference]:
    """Every metric of the task, tested.

    McNemar 1947 (exact, two-sided) for shares of right answers; for the others a permutation test that exchanges the
    two models' answers at random (Edgington & Onghena 2007, with one added to numerator and denominator). Intervals
    are those of a paired bootstrap (Efron & Tibshirani 1993, ch. 13).

    Args:
        view: of the task, the same for both.
        first: columns of the model that is the measure, `(examples, …)`.
        second: columns of the other model, for the same examples in the same order.
        seed: of the resamples.
    """
    first_cells, second_cells, counts = _cells(view, first, second)
    random = np.random.default_rng(seed)
    whole = counts[None, :]
    ours = view.weighted_metrics(first_cells, whole)
    theirs = view.weighted_metrics(second_cells, whole)
    observed = {name: float(theirs[name][0] - ours[name][0]) for name in ours}
    boot = _bootstrap(view, first_cells, second_cells, counts, random)
    right, other_right = view.right(first), view.right(second)
    chance = _permuted(view, first_cells, second_cells, counts, random) if len(observed) > len(right) else {}
    found = []
    for name, difference in observed.items():
        low, high = np.quantile(boot[name], [LEVEL / 2, 1 - LEVEL / 2])
        if name in right:
            p_value, method = mcnemar(right[name], other_right[name]), EXACT
        else:
            as_large = int((np.abs(chance[name]) >= abs(difference) - 1e-12).sum())
            p_value, method = (as_large + 1) / (RESAMPLES + 1), PERMUTATION
        found.append(Difference(name, difference, float(low), float(high), p_value, method))
    return found


def mcnemar(first_right: np.ndarray, second_right: np.ndarray) -> float:
    """The exact two-sided p-value of McNemar's test: of the examples that one model alone gets right, whose are they?

    Args:
        first_right, second_right: `(examples,)` bool, for the same examples.
    """
    first_alone = int(np.sum(first_right & ~second_right))
    second_alone = int(np.sum(second_right & ~first_right))
    if first_alone + second_alone == 0:
        return 1.0
    return float(binomtest(first_alone, first_alone + second_alone, 0.5).pvalue)


def _cells(view: Measured, first: Columns, second: Columns) -> tuple[Columns, Columns, np.ndarray]:
    """The different combinations of labels and both answers, and how often each occurs: `(cells,)`."""
    names = [(first, name) for name in view.metric_columns]
    names += [(second, name) for name in view.metric_columns if name not in view.target_columns]
    table = np.column_stack([columns[name] for columns, name in names])  # (examples, columns)
    _, examples, counts = np.unique(table, axis=0, return_index=True, return_counts=True)
    ours = {name: first[name][examples] for name in view.metric_columns}
    theirs = {name: (first if name in view.target_columns else second)[name][examples] for name in view.metric_columns}
    return ours, theirs, counts


def _bootstrap(
    view: Measured, first: Columns, second: Columns, counts: np.ndarray, random: np.random.Generator
) -> dict[str, np.ndarray]:
    """Differences of the metrics over examples drawn with replacement: `(resamples,)` each."""
    total = int(counts.sum())
    drawn = []
    for size in _batches(len(counts)):
        weights = random.multinomial(total, counts / total, size=size).T.astype(np.float64).T  # (resamples, cells)
        drawn.append(_gap(view, (first, weights), (second, weights)))
    return _joined(drawn)


def _permuted(
    view: Measured, first: Columns, second: Columns, counts: np.ndarray, random: np.random.Generator
) -> dict[str, np.ndarray]:
    """Differences of the metrics where each example's answers change sides at random: `(resamples,)` each."""
    both = {name: np.concatenate([first[name], second[name]]) for name in first}  # (2 cells,)
    drawn = []
    for size in _batches(2 * len(counts)):
        changed = random.binomial(counts[:, None], 0.5, size=(len(counts), size)).astype(np.float64)
        stayed = counts[:, None] - changed  # (cells, resamples)
        ours, theirs = np.concatenate([stayed, changed]).T, np.concatenate([changed, stayed]).T
        drawn.append(_gap(view, (both, ours), (both, theirs)))
    return _joined(drawn)


def _gap(
    view: Measured, first: tuple[Columns, np.ndarray], second: tuple[Columns, np.ndarray]
) -> dict[str, np.ndarray]:
    ours, theirs = view.weighted_metrics(*first), view.weighted_metrics(*second)
    return {name: theirs[name] - ours[name] for name in ours}


def _batches(cells: int) -> Iterator[int]:
    """`RESAMPLES` in parts that fit in memory."""
    at_once = max(1, CELLS_AT_ONCE // cells)
    for start in range(0, RESAMPLES, at_once):
        yield min(at_once, RESAMPLES - start)


def _joined(parts: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
