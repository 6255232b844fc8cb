"""A uniform sample of a stream whose length nobody knows."""

import heapq

import numpy as np


class Sample:
    """Keeps `size` texts of all that are offered, each with equal chance.

    Every text draws a random number; those with the smallest are kept.
    """

    def __init__(self, size: int, seed: int = 0):
        self.size = size
        self._random = np.random.default_rng(seed)
        self._kept: list[tuple[float, int, str]] = []  # a heap, the largest number (negated) on top

    def offer(self, texts: list[str], start: int) -> None:
        """Take some of these texts, the first of which has the number `start`."""
        draws = self._random.random(len(texts))
        largest = -self._kept[0][0] if len(self._kept) == self.size else 1.0
        for i in np.flatnonzero(draws < largest):
            entry = (-float(draws[i]), start + int(i), texts[i])
            if len(self._kept) < self.size:
                heapq.heappush(self._kept, entry)
            else:
                heapq.heappushpop(self._kept, entry)

    def items(self) -> list[tuple[int, str]]:
        """`(number, text)`, by number."""
        return sorted((number, text) for _, number, text in self._kept)
