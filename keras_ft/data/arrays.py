"""Tokenized examples, memory-mapped: written once by `write_arrays`, gathered batch by batch.

    FOLDER/ids.npy         (tokens,) int32, sequence behind sequence
    FOLDER/segments.npy    (tokens,) uint8; only if one is not 0
    FOLDER/offsets.npy     (sequences + 1,) int64: where each sequence begins in `ids`
    FOLDER/NAME.npy        one feature a file
    FOLDER/meta.json       fingerprint, counts, axes; written last: without it the folder holds nothing

A sequence is what the encoder sees, an example is the user's row. For now an example is one sequence; windows of
long texts will need one more file, the number of sequences of each example.
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
    *("num_sequences", "num_examples", "num_rows", "longest", "micro_tokens", "micro_examples"),
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
    def is_selection(self) -> bool:
        """Whether these are only some of the examples that their data make."""

    @property
    def identity(self) -> dict[str, Any]:
        """What tells these examples from others made from the same data."""

    def gather(self, indices: np.ndarray) -> dict[str, np.ndarray]:
        """The examples at `indices` `(examples,)`, one behind the other, as `TokenBatch` holds them."""


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
        return self.num_examples

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
        """Tokens of each sequence, `(sequences,)` int64."""
        lengths = np.diff(self._offsets)
        return lengths if self._rows is None else lengths[self._rows]

    def ids_at(self, examples: np.ndarray, places: np.ndarray) -> np.ndarray:
        """The ids of single tokens, `(tokens,)` int32.

        Args:
            examples: `(tokens,)` the example of each.
            places: `(tokens,)` its place in the example, from 0.
        """
        rows = examples if self._rows is None else self._rows[examples]
        return self._ids[self._offsets[rows] + places]

    def gather(self, indices: np.ndarray) -> dict[str, np.ndarray]:
        """Lay the examples at `indices` one behind the other, as `TokenBatch` holds them.

        Args:
            indices: `(examples,)` integers.

        Returns:
            `ids, positions, segments, sequence` `(tokens,)` int32, `token_weights` `(tokens,)` float32,
            `example_of_sequence, window_start, first_token` `(sequences,)` int32, `example_weights` `(examples,)`
            float32, and every feature along its own axis.
        """
        indices = np.asarray(indices, dtype=np.int64)
        if self._rows is not None:
            indices = self._rows[indices]
        starts = self._offsets[indices]
        lengths = self._offsets[indices + 1] - starts
        batch = laid_out(lengths)
        places = np.arange(len(batch["sequence"]))
        tokens = places + (starts - batch["first_token"])[batch["sequence"]]  # where the batch's tokens lie in `ids`
        rows = {"token": tokens, "sequence": indices, "example": indices}
        segments = np.zeros(len(tokens), np.int32) if self._segments is None else self._segments[tokens]
        return {
            **batch,
            "ids": self._ids[tokens],
            "segments": segments.astype(np.int32),
            **{name: values[rows[self.axes[name]]] for name, values in self._features.items()},
        }


def laid_out(lengths: np.ndarray) -> dict[str, np.ndarray]:
    """The fields of a `TokenBatch` that follow from the lengths, one sequence an example, one behind the other.

    Args:
        lengths: `(examples,)` tokens of each.
    """
    count = len(lengths)
    sequence = np.repeat(np.arange(count, dtype=np.int32), lengths)  # (tokens,)
    starts = np.cumsum(lengths) - lengths
    return {
        "positions": (np.arange(len(sequence)) - starts[sequence]).astype(np.int32),
        "sequence": sequence,
        "token_weights": np.ones(len(sequence), dtype=np.float32),
        "example_of_sequence": np.arange(count, dtype=np.int32),
        "window_start": np.zeros(count, dtype=np.int32),
        "first_token": starts.astype(np.int32),
        "example_weights": np.ones(count, dtype=np.float32),
    }


def _mapped(folder: Path, name: str, length: int) -> np.ndarray:
    array = np.load(folder / f"{name}.npy", mmap_mode="r")
    if len(array) != length:
        raise ValueError(f"{folder / name}.npy has {len(array)} rows, not {length}")
    return np.asarray(array)  # the same mapped memory without np.memmap's slow indexing
