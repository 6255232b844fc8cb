"""Which waiting requests form the next batch: those of similar length, short ones first.

Requests are grouped by the bytes of their longest row. A free thread takes the oldest requests of the shortest group.
Long groups leave one thread to the shortest one, so that a short text never waits for a long one; their batches hold
fewer rows, so that none takes much longer than a full batch of short texts; and a group that others were preferred to
`PATIENCE` times goes next.
"""

from collections.abc import Hashable, Iterable
from typing import NamedTuple, TypeVar

from keras_ft.serving.batching.request import Piece, Request

SHORT_BYTES = 256  # a sentence or two: some 60 tokens of English, 85 of Chinese
FACTOR = 4
PATIENCE = 8

Key = TypeVar("Key", bound=Hashable)


def length_group(length: int) -> int:
    """0 for up to 256 bytes, 1 up to 1,024, 2 up to 4,096, …"""
    group, limit = 0, SHORT_BYTES
    while length > limit:
        group, limit = group + 1, limit * FACTOR
    return group


def most_rows(batch_rows: int, group: int) -> int:
    """The most rows of a batch of a length group: as many bytes as `batch_rows` rows of group 0."""
    return max(1, batch_rows // FACTOR**group)


class _Kind(NamedTuple):
    group: int
    kind: Hashable


class LengthQueues:
    """Pieces that wait for a thread; not thread-safe.

    Arguments:
        batch_rows: the most rows of a batch of group 0.
        timeout: seconds that a piece may wait for others to fill its batch.
        threads: how many batches can run at once.
    """

    def __init__(self, batch_rows: int, timeout: float = 0.0, threads: int = 1):
        self.rows = 0
        self.rows_of_group: dict[int, int] = {}
        self._batch_rows = batch_rows
        self._timeout = timeout
        self._long_threads = max(1, threads - 1)
        self._long_running = 0
        self._waiting: dict[_Kind, dict[Piece, None]] = {}  # ordered as they came; O(1) to leave
        self._rows_of_kind: dict[_Kind, int] = {}
        self._pieces_of: dict[Request, dict[Piece, None]] = {}
        self._passed_over: dict[int, int] = {}

    @property
    def requests(self) -> Iterable[Request]:
        """Those of which something waits."""
        return self._pieces_of.keys()

    def add(self, piece: Piece) -> None:
        """Let a piece wait."""
        self._waiting.setdefault(_Kind(piece.group, piece.kind), {})[piece] = None
        self._pieces_of.setdefault(piece.request, {})[piece] = None
        self._count(piece, piece.rows)

    def withdraw(self, request: Request) -> None:
        """Let what waits of a request leave."""
        for piece in list(self._pieces_of.get(request, ())):
            self._remove(piece)

    def take(self, now: float, at_once: bool = False) -> list[Piece]:
        """The next batch, all of one kind; empty if none may run now.

        Arguments:
            now: the clock's time.
            at_once: wait for no batch to fill.
        """
        ready = [key for key in self._waiting if self._may_run(key) and (at_once or self._due_at(key) <= now)]
        if not ready:
            return []
        group = self._next_group({key.group for key in ready})
        key = min((it for it in ready if it.group == group), key=self._oldest)
        batch: list[Piece] = []
        rows, limit = 0, most_rows(self._batch_rows, group)
        for piece in self._waiting[key]:
            if batch and (key.kind is None or rows + piece.rows > limit):
                break
            batch.append(piece)
            rows += piece.rows
        for piece in batch:
            self._remove(piece)
        self._long_running += group > 0
        return batch

    def finished(self, group: int) -> None:
        """A batch that was taken of this group has run."""
        self._long_running -= group > 0

    def due_at(self) -> float:
        """When the next batch may run whether full or not; `inf` if none can while those taken run."""
        return min(map(self._due_at, filter(self._may_run, self._waiting)), default=float("inf"))

    def _may_run(self, key: _Kind) -> bool:
        return key.group == 0 or self._long_running < self._long_threads

    def _due_at(self, key: _Kind) -> float:
        full = key.kind is None or self._rows_of_kind[key] >= most_rows(self._batch_rows, key.group)
        return self._oldest(key) + (0.0 if full else self._timeout)

    def _oldest(self, key: _Kind) -> float:
        return next(iter(self._waiting[key])).enqueued

    def _next_group(self, ready: set[int]) -> int:
        impatient = {group: self._passed_over.get(group, 0) for group in sorted(ready)}
        group = max(impatient, key=lambda it: impatient[it])
        if impatient[group] < PATIENCE:
            group = min(ready)
        for longer in ready:
            if longer > group:
                self._passed_over[longer] = impatient[longer] + 1
        self._passed_over.pop(group, None)
        return group

    def _remove(self, piece: Piece) -> None:
        key = _Kind(piece.group, piece.kind)
        _drop(self._waiting, key, piece)
        _drop(self._pieces_of, piece.request, piece)
        self._count(piece, -piece.rows)

    def _count(self, piece: Piece, rows: int) -> None:
        self.rows += rows
        _add(self._rows_of_kind, _Kind(piece.group, piece.kind), rows)
        _add(self.rows_of_group, piece.group, rows)
        if piece.group not in self.rows_of_group:
            self._passed_over.pop(piece.group, None)


def _add(counts: dict[Key, int], key: Key, number: int) -> None:
    counts[key] = counts.get(key, 0) + number
    if not counts[key]:
        del counts[key]


def _drop(places: dict[Key, dict[Piece, None]], key: Key, piece: Piece) -> None:
    del places[key][piece]
    if not places[key]:
        del places[key]
