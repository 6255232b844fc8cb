"""How far what a model version answers lies from its reference, over the last few thousand answers."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from keras_ft.serving.monitoring.psi import population_stability_index
from keras_ft.serving.monitoring.reference import EXAMPLES_A_BIN, Bins, Reference

BLOCK = 500
BLOCKS = 10
FEWEST = 200
FEWEST_EXAMPLES = 2 * EXAMPLES_A_BIN


class Window:
    """Counts of the last values, in the reference's bins.

    The window slides in blocks of 500 values, ten at most: an eleventh drops the oldest, so that it holds the last
    4,500 to 5,000 values or a few more. Exponentially decayed counts would need no blocks, but they never quite forget,
    and there is no plain number of values to say when they are enough; a ring of single values would hold 5,000 of each
    quantity. Blocks hold 10 × bins numbers whatever comes, a change is seen in full after 5,000 values, and counts stay
    whole numbers that can be checked. With 10 bins, 5,000 values and as many in the reference, chance alone makes an
    index of 0.004.

    Arguments:
        bins: of the reference.
        block: values to a block.
        blocks: at most.
    """

    def __init__(self, bins: Bins, block: int = BLOCK, blocks: int = BLOCKS):
        self.bins = bins
        self._block = block
        self._ring = np.zeros((blocks, len(bins.counts)), np.int64)
        self._place = 0

    def add(self, values: Any) -> None:
        """Count values; those of one call stay together in a block."""
        if self._ring[self._place].sum() >= self._block:
            self._place = (self._place + 1) % len(self._ring)
            self._ring[self._place] = 0
        self._ring[self._place] += self.bins.count(values)

    @property
    def counts(self) -> np.ndarray:
        """Of the whole window, `(bins,)`."""
        return self._ring.sum(axis=0)

    @property
    def psi(self) -> float:
        """The index; NaN until 200 values, and 20 a bin, were seen, and for a reference of fewer than 40 values."""
        counts, reference = self.counts, self.bins.counts
        enough = counts.sum() >= max(FEWEST, EXAMPLES_A_BIN * len(counts))
        if not enough or reference.sum() < FEWEST_EXAMPLES:
            return math.nan
        return population_stability_index(reference, counts)


class Drift:
    """All windows of one model version.

    Arguments:
        reference: of its export.
    """

    def __init__(self, reference: Reference):
        self.reference = reference
        self.windows = {name: Window(bins) for name, bins in reference.of.items()}

    def add(self, values: Mapping[str, Any]) -> None:
        """Count values by quantity; a quantity that the reference lacks is left out."""
        for name, found in values.items():
            if name in self.windows and len(found):
                self.windows[name].add(found)

    @property
    def psi(self) -> dict[str, float]:
        """Quantity → index, NaN where too little was seen."""
        return {name: window.psi for name, window in self.windows.items()}
