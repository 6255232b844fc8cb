"""What is kept of every row: some forty bytes, however long its text is."""

from typing import ClassVar

import numpy as np

from keras_ft.data.rows import Rows
from keras_ft.inspection.finding import PLACES, Place


class RowIndex:
    """Numbers by row, gathered chunk by chunk.

    Attributes:
        exact: hash of the text. Hashes are of 64 bits: in a million rows two texts share one with a chance of 3e-8.
        normal: hash of the text as `normalize` leaves it.
        answer: number of what is to be learned of it, its label for instance.
        length: tokens of the whole text, special tokens included.
        script: number of the script that most of its letters are of.
        second: of the script that comes after it, 0 if it is the only one.
        letters: how many of the first there are, up to 65,535.
    """

    _DTYPES: ClassVar[dict[str, type]] = {
        "exact": np.int64,
        "normal": np.int64,
        "answer": np.int32,
        "length": np.int32,
        "script": np.uint8,
        "second": np.uint8,
        "letters": np.uint16,
        "_line": np.int32,
        "_source": np.int32,
    }
    exact: np.ndarray
    normal: np.ndarray
    answer: np.ndarray
    length: np.ndarray
    script: np.ndarray
    second: np.ndarray
    letters: np.ndarray
    _line: np.ndarray
    _source: np.ndarray

    def __init__(self) -> None:
        self._chunks: dict[str, list[np.ndarray]] = {name: [] for name in self._DTYPES}
        self._sources: dict[str, int] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, rows: Rows, values: dict[str, np.ndarray | list]) -> None:
        """Add rows; `values` has the public attributes, `(rows,)` each."""
        source = self._sources.setdefault(f"{rows.source} {rows.unit}", len(self._sources))
        values = {**values, "_line": rows.lines, "_source": np.full(len(rows), source)}
        for name, dtype in self._DTYPES.items():
            self._chunks[name].append(np.asarray(values[name]).astype(dtype))
        self._count += len(rows)

    def finish(self) -> None:
        """Lay the chunks end to end; nothing is added after that."""
        for name, dtype in self._DTYPES.items():
            chunks = self._chunks.pop(name)
            setattr(self, name, np.concatenate(chunks) if chunks else np.zeros(0, dtype))
        self._names = list(self._sources)

    def where(self, row: int | np.integer) -> str:
        """Say where a row stands: "train.jsonl line 17"."""
        return f"{self._names[self._source[row]]} {self._line[row]}"

    def places(self, wanted: np.ndarray) -> list[Place]:
        """The first few rows of a mask, `(rows,)` bool."""
        return [Place(self.where(i)) for i in np.flatnonzero(wanted)[:PLACES]]


def first_alike(keys: np.ndarray) -> np.ndarray:
    """For each row the first row that has the same key, `(rows,)`; its own number if there is none before it."""
    _, first, group = np.unique(keys, return_index=True, return_inverse=True)
    return first[group]
