"""Tokenized examples, memory-mapped: written once by `write_arrays`, gathered batch by batch.

    FOLDER/ids.npy         (tokens,) int32, sequence behind sequence
    FOLDER/segments.npy    (tokens,) uint8; only if one is not 0
    FOLDER/offsets.npy     (sequences + 1,) int64: where each sequence begins in `ids`
    FOLDER/sequences.npy   (examples + 1,) int64: where the sequences of each example begin in `offsets`;
    FOLDER/window_start.npy  (sequences,) int32; both only for tasks whose examples may have several sequences
    FOLDER/NAME.npy        one feature a file
    FOLDER/NAME.bytes.npy  (bytes,) uint8: a text of each example, UTF-8, one behind the other;
    FOLDER/NAME.ends.npy   (examples,) int64: where each ends
    FOLDER/meta.json       fingerprint, counts, axes; written last: without it the folder holds nothing

A sequence is what the encoder sees, an example is the user's row.
"""

import hashlib
import json
from pathlib import Path
from typing import Any, Protocol

import numpy as np

AXES = ("token", "sequence", "example")
RESERVED = {
    *("ids", "positions", "segments", "sequence", "token_weights", "example_of_sequence", "window_start"),
    *("first_token", "example_weights", "lengths", "offsets", "meta", "indices"),
    *("num_sequences", "num_examples", "num_rows", "longest", "sequences"),
    *("micro_tokens", "micro_sequences", "micro_examples"),
}


class Arrays(Protocol):
    """Tokenized examples as plans and batches see them; `TokenArrays` says what each member is.

    Attributes:
        axes: the axis of each feature.
    """

    axes: dict[str, str]

    @property
    def num_examples(self) -> int:
        """How many examples there are."""

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of each example, `(examples,)` int64."""

    @property
    def most_sequences(self) -> int:
        """The most sequences that an example has."""

    @property
    def is_selection(self) -> bool:
        """Whether these are only some of the examples that their data make."""

    @property
    def identity(self) -> dict[str, Any]:
        """What tells these examples from others made from the same data."""

    def gather(self, indices: np.ndarray) -> dict[str, np.ndarray]:
        """The examples at `indices` `(examples,)`, one behind the other, as `TokenBatch` holds them."""

    def texts(self, indices: np.ndarray) -> dict[str, list[str]]:
        """The texts kept with the examples at `indices`, by name."""


class TokenArrays:
    """Tokenized examples: all that a folder holds, or some of them.

    Args:
        folder: where the files are.
        meta: what `meta.json` says.
        rows: `(examples,)` which of the folder's examples these are; all if not given.
    """

    def __init__(self, folder: Path, meta: dict, rows: np.ndarray | None = None):
        self.folder = folder
        self._meta = meta
        self.axes: dict[str, str] = meta["axes"]
        stored = {"token": meta["num_tokens"], "sequence": meta["num_sequences"], "example": meta["num_examples"]}
        self._ids = _mapped(folder, "ids", stored["token"])
        self._segments = _mapped(folder, "segments", stored["token"]) if meta["has_segments"] else None
        self._offsets = _mapped(folder, "offsets", stored["sequence"] + 1)
        self._features = {name: _mapped(folder, name, stored[axis]) for name, axis in self.axes.items()}
        several = meta["several_sequences"]
        self._sequences = _mapped(folder, "sequences", stored["example"] + 1) if several else None
        self._window_start = _mapped(folder, "window_start", stored["sequence"]) if several else None
        self._ends = {name: _mapped(folder, f"{name}.ends", stored["example"]) for name in meta["texts"]}
        self._bytes = {
            name: _mapped(folder, f"{name}.bytes", int(ends[-1]) if len(ends) else 0)
            for name, ends in self._ends.items()
        }
        self._rows = rows

    def select(self, rows: np.ndarray) -> "TokenArrays":
        """These examples of the folder alone, in the order of `rows` `(examples,)`, over the same files."""
        return TokenArrays(self.folder, self._meta, rows)

    @property
    def rows(self) -> np.ndarray:
        """Where each example stands in the data it was made from, `(examples,)` int64, counted from 0."""
        return np.arange(self._meta["num_examples"]) if self._rows is None else self._rows

    @property
    def is_selection(self) -> bool:
        """Whether these are only some of the folder's examples."""
        return self._rows is not None

    @property
    def identity(self) -> dict[str, Any]:
        """What tells these examples from others made from the same data."""
        return {"rows": hashlib.sha256(self.rows.astype(np.int64).tobytes()).hexdigest()}

    @property
    def num_examples(self) -> int:
        """How many examples there are."""
        return self._meta["num_examples"] if self._rows is None else len(self._rows)

    @property
    def num_sequences(self) -> int:
        """How many sequences the encoder sees."""
        return self.num_examples if self._sequences is None else int(self._counts(self.rows).sum())

    @property
    def most_sequences(self) -> int:
        """The most sequences that an example has."""
        return 1 if self._sequences is None else int(self._counts(self.rows).max(initial=1))

    @property
    def num_tokens(self) -> int:
        """How many tokens there are, special ones included."""
        return self._meta["num_tokens"] if self._rows is None else int(self.lengths.sum())

    @classmethod
    def open(cls, folder: Path, fingerprint: str) -> "TokenArrays | None":
        """Open what `write_arrays` wrote with this fingerprint; None if there is no whole one."""
        try:
            meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
            return cls(folder, meta) if meta["fingerprint"] == fingerprint else None
        except (OSError, EOFError, ValueError, KeyError, TypeError):  # a file is absent, cut short or not ours
            return None

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of each example, `(examples,)` int64."""
        lengths = np.diff(self._offsets if self._sequences is None else self._offsets[self._sequences])
        return lengths if self._rows is None else lengths[self._rows]

    def texts(self, indices: np.ndarray) -> dict[str, list[str]]:
        """The texts kept with the examples at `indices` `(examples,)`, by name."""
        rows = self._row_numbers(indices)
        found = {}
        for name, ends in self._ends.items():
            begins = np.where(rows > 0, ends[rows - 1], 0)
            spans = zip(begins, ends[rows], strict=True)
            found[name] = [self._bytes[name][begin:end].tobytes().decode() for begin, end in spans]
        return found

    def ids_at(self, examples: np.ndarray, places: np.ndarray) -> np.ndarray:
        """The ids of single tokens, `(tokens,)` int32.

        Args:
            examples: `(tokens,)` the example of each.
            places: `(tokens,)` its place in the example, from 0.
        """
        assert self._sequences is None  # documents are one sequence each
        return self._ids[self._offsets[self._row_numbers(examples)] + places]

    def gather(self, indices: np.ndarray) -> dict[str, np.ndarray]:
        """Lay the examples at `indices` one behind the other, as `TokenBatch` holds them.

        Args:
            indices: `(examples,)` integers.

        Returns:
            `ids, positions, segments, sequence` `(tokens,)` int32, `token_weights` `(tokens,)` float32,
            `example_of_sequence, window_start, first_token` `(sequences,)` int32, `example_weights` `(examples,)`
            float32, and every feature along its own axis.
        """
        indices = self._row_numbers(indices)
        counts = None if self._sequences is None else self._counts(indices)
        sequences = indices
        if self._sequences is not None and counts is not None:
            skipped = self._sequences[indices] - (np.cumsum(counts) - counts)
            sequences = np.arange(counts.sum()) + np.repeat(skipped, counts)  # (sequences,) numbers in the folder
        starts = self._offsets[sequences]
        lengths = self._offsets[sequences + 1] - starts
        batch = laid_out(lengths, counts)
        if self._window_start is not None:
            batch["window_start"] = self._window_start[sequences]
        places = np.arange(len(batch["sequence"]))
        tokens = places + (starts - batch["first_token"])[batch["sequence"]]  # where the batch's tokens lie in `ids`
        rows = {"token": tokens, "sequence": sequences, "example": indices}
        segments = np.zeros(len(tokens), np.int32) if self._segments is None else self._segments[tokens]
        return {
            **batch,
            "ids": self._ids[tokens],
            "segments": segments.astype(np.int32),
            **{name: values[rows[self.axes[name]]] for name, values in self._features.items()},
        }

    def _row_numbers(self, indices: np.ndarray) -> np.ndarray:
        indices = np.asarray(indices, dtype=np.int64)
        return indices if self._rows is None else self._rows[indices]

    def _counts(self, rows: np.ndarray) -> np.ndarray:
        """How many sequences the folder's examples `rows` have."""
        assert self._sequences is not None
        return self._sequences[rows + 1] - self._sequences[rows]


def laid_out(lengths: np.ndarray, counts: np.ndarray | None = None) -> dict[str, np.ndarray]:
    """The fields of a `TokenBatch` that follow from the lengths, one sequence behind the other.

    Args:
        lengths: `(sequences,)` tokens of each.
        counts: `(examples,)` sequences of each; one each if not given.
    """
    count = len(lengths)
    counts = np.ones(count, np.int64) if counts is None else counts
    sequence = np.repeat(np.arange(count, dtype=np.int32), lengths)  # (tokens,)
    starts = np.cumsum(lengths) - lengths
    return {
        "positions": (np.arange(len(sequence)) - starts[sequence]).astype(np.int32),
        "sequence": sequence,
        "token_weights": np.ones(len(sequence), dtype=np.float32),
        "example_of_sequence": np.repeat(np.arange(len(counts), dtype=np.int32), counts),
        "window_start": np.zeros(count, dtype=np.int32),
        "first_token": starts.astype(np.int32),
        "example_weights": np.ones(len(counts), dtype=np.float32),
    }


def _mapped(folder: Path, name: str, length: int) -> np.ndarray:
    array = np.load(folder / f"{name}.npy", mmap_mode="r")
    if len(array) != length:
        raise ValueError(f"{folder / name}.npy has {len(array)} rows, not {length}")
    return np.asarray(array)  # the same mapped memory without np.memmap's slow indexing
