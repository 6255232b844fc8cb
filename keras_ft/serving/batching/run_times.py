"""How long batches take, learnt from those that ran, and from it how long a request would wait."""

from collections.abc import Iterable

DECAY = 0.9  # a batch counts for half as much after the next 7


class RunTimes:
    """Seconds of a batch of n rows, for each length group: a + b · n, fitted to the batches of late.

    A ratio of rows to seconds would do for batches of one size. Under light load they are small, each row bears much
    of the cost of a run, and the first burst would be taken for more work than it is.
    """

    def __init__(self):
        self._sums: dict[int, tuple[float, ...]] = {}

    def add(self, group: int, rows: int, seconds: float) -> None:
        """Learn from a batch that ran."""
        new = (1.0, rows, seconds, rows * rows, rows * seconds)
        old = self._sums.get(group, (0.0,) * len(new))
        self._sums[group] = tuple(DECAY * a + b for a, b in zip(old, new, strict=True))

    def seconds(self, group: int, rows: int, batch_rows: int) -> float:
        """How long one thread takes for so many rows in batches of at most `batch_rows`; 0 where nothing is known."""
        if group not in self._sums or not rows:
            return 0.0
        count, n, y, nn, ny = self._sums[group]
        mean_n, mean_y = n / count, y / count
        spread = nn / count - mean_n**2
        slope = mean_y / mean_n
        if spread > (0.1 * mean_n) ** 2:
            slope = min(max((ny / count - mean_n * mean_y) / spread, 0.0), slope)
        start = mean_y - slope * mean_n
        return start * -(-rows // batch_rows) + slope * rows


def free_in(busy: Iterable[float], work: float) -> float:
    """When one of several threads turns to what comes next.

    Arguments:
        busy: seconds that each thread still needs for what it is at.
        work: seconds of work that comes before, spread over them as they become free.
    """
    until = sorted(busy)
    for threads, (level, following) in enumerate(zip(until, [*until[1:], float("inf")], strict=True), start=1):
        room = (following - level) * threads
        if work <= room:
            return level + work / threads
        work -= room
    raise ValueError("no threads")
