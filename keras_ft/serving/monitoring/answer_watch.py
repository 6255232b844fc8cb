"""Counts tokens and drift of what is answered, in one thread behind the requests, which never wait for it."""

import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from keras_ft.errors import KerasFTError
from keras_ft.serving.monitoring.answer_values import answer_values, outputs_read
from keras_ft.serving.monitoring.drift import Drift
from keras_ft.serving.monitoring.reference import REFERENCE_FILE, Reference
from keras_ft.serving.monitoring.text_values import Row, TextCounter, unknown_shares

MOST_BYTES = 8 << 20
MOST_BYTES_OF_A_TEXT = 16 << 10
ROWS_AT_ONCE = 512
SELDOM = 0.1  # seconds between two rounds, so that many small requests are counted together

Version = tuple[str, int]


@dataclass(frozen=True)
class Answered:
    """One request and its answer.

    Attributes:
        version: of the model.
        folder: of the version.
        inputs: names of all inputs.
        texts: input → its texts by row, of those that are texts.
        characters: `(rows,)` of all inputs.
        outputs: by name.
        size: in bytes, about.
    """

    version: Version
    folder: Path
    inputs: frozenset[str]
    texts: Mapping[str, list[Row]]
    characters: list[int]
    outputs: Mapping[str, np.ndarray]
    size: int


class AnswerWatch:
    """A queue of at most 8 MiB and its thread, which begins with the first answer.

    What comes when the queue is full is dropped, and counted: a part of the answers shows drift as well as all of them.

    Arguments:
        tokens: told how many tokens a model's texts had.
        dropped: told how many rows of a model were not looked at.
    """

    def __init__(self, tokens: Callable[[str, int], None], dropped: Callable[[str, int], None]):
        self._tokens, self._dropped = tokens, dropped
        self._queue: deque[Answered] = deque()
        self._size = self._rows = 0  # of the queue
        self._busy = self._closed = False
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._versions: dict[Version, _VersionWatch] = {}
        self._served: set[Version] = set()

    def serve(self, version: Version, folder: Path | None = None) -> None:
        """Look at answers of a version from now on; with its folder, what that takes is read here and now."""
        watch = _VersionWatch(folder) if folder else None
        with self._changed:
            self._served.add(version)
            if watch:
                self._versions[version] = watch

    def forget(self, version: Version) -> None:
        """Look no longer, and free what is held of it."""
        with self._changed:
            self._served.discard(version)
            self._versions.pop(version, None)

    def put(self, answered: Answered) -> None:
        """Queue an answer of a served version, or drop it; returns at once."""
        with self._changed:
            if answered.version not in self._served or self._closed:
                return
            full = self._size + answered.size > MOST_BYTES
            if not full:
                self._queue.append(answered)
                self._size += answered.size
                self._rows += len(answered.characters)
                if self._thread is None:
                    self._thread = threading.Thread(target=self._run, name="answer-watch", daemon=True)
                    self._thread.start()
                elif len(self._queue) == 1 or self._rows >= ROWS_AT_ONCE:
                    self._changed.notify_all()
        if full:
            self._dropped(answered.version[0], len(answered.characters))

    def outputs_of(self, version: Version, outputs: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        """Those that are looked at, as far as that is known."""
        watch = self._versions.get(version)
        if watch is None:
            return outputs
        return {name: outputs[name] for name in watch.reads if name in outputs}

    def drifts(self) -> dict[Version, Drift]:
        """What is known of each version that has a reference."""
        with self._changed:
            return {version: watch.drift for version, watch in self._versions.items() if watch.drift}

    def flush(self, timeout: float = 10.0) -> bool:
        """Wait until all that was queued is counted; False after so many seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._queue and not self._busy, timeout)

    def close(self) -> None:
        """End the thread; what is still queued is not counted."""
        with self._changed:
            self._closed = True
            self._queue.clear()
            self._size = self._rows = 0
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(10)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._busy = False
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._queue or self._closed)
                if self._closed:
                    return
                self._busy = True
                taken = self._take()
            for version, found in taken.items():
                self._count(version, found)
            with self._changed:
                self._changed.wait_for(lambda: self._closed or self._rows >= ROWS_AT_ONCE, SELDOM)

    def _take(self) -> dict[Version, list[Answered]]:
        """Answers of up to 512 rows, by version."""
        taken: dict[Version, list[Answered]] = {}
        rows = 0
        while self._queue and rows < ROWS_AT_ONCE:
            answered = self._queue.popleft()
            self._size -= answered.size
            rows += len(answered.characters)
            self._rows -= len(answered.characters)
            taken.setdefault(answered.version, []).append(answered)
        return taken

    def _count(self, version: Version, found: list[Answered]) -> None:
        watch = self._versions.get(version)
        if watch is None:
            watch = _VersionWatch(found[0].folder)
            with self._changed:
                if version not in self._served:
                    return
                self._versions[version] = watch
        try:
            self._tokens(version[0], watch.count(found))
        except Exception as error:  # a thread that ends would stop counting for good, unseen
            watch.tell(f"Answers of {version[0]} version {version[1]} are not counted: {error!r}")


class _VersionWatch:
    """What is held of one version: its tokenizer, and its drift where there is a reference."""

    def __init__(self, folder: Path):
        self.drift: Drift | None = None
        self._counter: TextCounter | None = None
        self._told = False
        try:
            reference = Reference.read(folder / REFERENCE_FILE)
            self.drift = Drift(reference) if reference else None
            self._counter = TextCounter.of(folder)
        except (ValueError, KerasFTError) as error:
            self.tell(str(error))
        self.reads = outputs_read(self.drift.reference.task) if self.drift else ()

    def tell(self, line: str) -> None:
        """Say the first thing that is wrong."""
        if not self._told:
            print(line, file=sys.stderr, flush=True)
        self._told = True

    def count(self, found: list[Answered]) -> int:
        """Add answers; returns their tokens, 0 where they cannot be told."""
        rows = [_cut(row) for answered in found for row in _rows(answered.texts)]
        tokens, unknown = self._counter(rows) if self._counter else (np.zeros(len(rows), np.int64),) * 2
        begin = 0
        for answered in found:
            end = begin + len(answered.characters)
            if self.drift and answered.inputs == frozenset(self.drift.reference.inputs):
                values = {
                    "characters": answered.characters,
                    **answer_values(self.drift.reference.task, answered.outputs),
                }
                if self._counter:
                    values["unknown_tokens"] = unknown_shares(tokens[begin:end], unknown[begin:end])
                self.drift.add(values)
            begin = end
        return int(tokens.sum())


def _rows(texts: Mapping[str, list[Row]]) -> list[Row]:
    """The texts of each row, of all inputs."""
    return [[text for row in rows for text in row] for rows in zip(*texts.values(), strict=True)]


def _cut(row: Row) -> Row:
    return [text[:MOST_BYTES_OF_A_TEXT] for text in row]
