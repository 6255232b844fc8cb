"""Tokenized examples of one split, memory-mapped: written once, gathered batch by batch.

    FOLDER/ids.npy         (tokens,) int32, sequence behind sequence
    FOLDER/segments.npy    (tokens,) uint8; only if one is not 0
    FOLDER/offsets.npy     (sequences + 1,) int64: where each sequence begins in `ids`
    FOLDER/NAME.npy        one feature a file
    FOLDER/meta.json       fingerprint, counts, axes; written last: without it the folder holds nothing

A sequence is what the encoder sees, an example is the user's row. For now an example is one sequence; windows of
long texts will need one more file, the number of sequences of each example.
"""

import json
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from keras_ft.data.npy import NpyWriter

AXES = ("token", "sequence", "example")
RESERVED = {
    *("ids", "positions", "segments", "sequence", "token_weights", "example_of_sequence", "window_start"),
    *("lengths", "offsets", "meta", "rows", "num_sequences", "num_examples", "longest"),
}


class TokenArrays:
    """The tokenized examples of one split; `open` or `write` makes one.

    Args:
        folder: where the files are.
        meta: what `meta.json` says.
    """

    def __init__(self, folder: Path, meta: dict):
        self.folder = folder
        self.axes: dict[str, str] = meta["axes"]
        self.num_examples: int = meta["num_examples"]
        self.num_sequences: int = meta["num_sequences"]
        self.num_tokens: int = meta["num_tokens"]
        self._ids = _mapped(folder, "ids", self.num_tokens)
        self._segments = _mapped(folder, "segments", self.num_tokens) if meta["has_segments"] else None
        self._offsets = _mapped(folder, "offsets", self.num_sequences + 1)
        counts = {"token": self.num_tokens, "sequence": self.num_sequences, "example": self.num_examples}
        self._features = {name: _mapped(folder, name, counts[axis]) for name, axis in self.axes.items()}

    @classmethod
    def write(
        cls,
        folder: Path,
        fingerprint: str,
        chunks: Iterable[Mapping[str, np.ndarray]],
        axes: Mapping[str, str] | None = None,
    ) -> "TokenArrays":
        """Write chunk after chunk; memory use is that of one chunk. What the folder held before is void at once.

        Args:
            folder: made if absent.
            fingerprint: of all that the arrays depend on (file contents, columns, tokenizer, length limit).
            chunks: each a dict of `ids` (tokens,), `lengths` (sequences,) of at least 1, perhaps `segments` (tokens,)
                of 0 to 255, and every feature of `axes`. The first chunk decides a feature's dtype and trailing shape.
            axes: feature name → "token", "sequence" or "example", along which the feature's rows run.

        Raises:
            ValueError: there are no sequences, a chunk contradicts itself, or a feature is not of numbers.
        """
        axes = dict(axes or {})
        for name, axis in axes.items():
            if axis not in AXES or name in RESERVED:
                raise ValueError(f"feature '{name}' of axis '{axis}': axes are {AXES}, taken names {sorted(RESERVED)}")
        folder.mkdir(parents=True, exist_ok=True)
        marker = folder / "meta.json"
        marker.unlink(missing_ok=True)
        with ExitStack() as files:
            writer = _Writer(folder, axes, files)
            for chunk in chunks:
                writer.append(chunk)
        if not writer.offsets.length > 1:
            raise ValueError(f"no sequences to write to {folder}")
        meta = {"fingerprint": fingerprint, **writer.meta()}
        marker.write_text(json.dumps(meta, indent=1, ensure_ascii=False), encoding="utf-8")
        return cls(folder, meta)

    @classmethod
    def open(cls, folder: Path, fingerprint: str) -> "TokenArrays | None":
        """Open what `write` wrote with this fingerprint; None if it is absent, incomplete or of another fingerprint."""
        try:
            meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
            return cls(folder, meta) if meta["fingerprint"] == fingerprint else None
        except (OSError, EOFError, ValueError, KeyError, TypeError):  # a file is absent, cut short or not ours
            return None

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of each sequence, `(sequences,)` int64."""
        return np.diff(self._offsets)

    def gather(self, indices: np.ndarray) -> dict[str, np.ndarray]:
        """Lay the examples at `indices` one behind the other, as `TokenBatch` holds them.

        Args:
            indices: `(examples,)` integers.

        Returns:
            `ids, positions, segments, sequence` `(tokens,)` int32, `token_weights` `(tokens,)` float32,
            `example_of_sequence, window_start` `(sequences,)` int32, and every feature along its own axis.
        """
        indices = np.asarray(indices, dtype=np.int64)
        starts = self._offsets[indices]
        lengths = self._offsets[indices + 1] - starts
        sequence = np.repeat(np.arange(len(indices), dtype=np.int32), lengths)  # (tokens,)
        ends = np.cumsum(lengths)
        places = np.arange(len(sequence))
        positions = places - (ends - lengths)[sequence]
        tokens = places + (starts - ends + lengths)[sequence]  # where the batch's tokens lie in `ids`
        rows = {"token": tokens, "sequence": indices, "example": indices}
        return {
            "ids": self._ids[tokens],
            "positions": positions.astype(np.int32),
            "segments": np.zeros_like(sequence) if self._segments is None else self._segments[tokens].astype(np.int32),
            "sequence": sequence,
            "token_weights": np.ones(len(sequence), dtype=np.float32),
            "example_of_sequence": np.arange(len(indices), dtype=np.int32),
            "window_start": np.zeros(len(indices), dtype=np.int32),
            **{name: values[rows[self.axes[name]]] for name, values in self._features.items()},
        }


class _Writer:
    """The files being written, and how far they have come."""

    def __init__(self, folder: Path, axes: dict[str, str], files: ExitStack):
        self.folder, self.axes, self.files = folder, axes, files
        self.ids = self._start("ids", np.int32)
        self.offsets = self._start("offsets", np.int64)
        self.offsets.append(np.zeros(1, dtype=np.int64))
        self.segments: NpyWriter | None = None
        self.features: dict[str, NpyWriter] = {}
        (folder / "segments.npy").unlink(missing_ok=True)

    def append(self, chunk: Mapping[str, np.ndarray]) -> None:
        ids, lengths = np.asarray(chunk["ids"]), np.asarray(chunk["lengths"], dtype=np.int64)
        if unknown := set(chunk) - {"ids", "lengths", "segments", *self.axes}:
            raise ValueError(f"the chunk's {sorted(unknown)} have no axis")
        if len(lengths) and lengths.min() < 1:
            raise ValueError(f"sequence {self.offsets.length - 1 + lengths.argmin()} has no tokens")
        if lengths.sum() != len(ids):
            raise ValueError(f"the chunk's lengths add up to {lengths.sum()}, but there are {len(ids)} ids")
        self._append_segments(chunk, len(ids))
        self.ids.append(ids)
        self.offsets.append(self.ids.length - len(ids) + np.cumsum(lengths))
        for name, axis in self.axes.items():
            self._append_feature(name, np.asarray(chunk[name]), len(ids) if axis == "token" else len(lengths))

    def meta(self) -> dict:
        sequences = self.offsets.length - 1
        return {
            "num_examples": sequences,
            "num_sequences": sequences,
            "num_tokens": self.ids.length,
            "has_segments": self.segments is not None,
            "axes": self.axes,
        }

    def _start(self, name: str, dtype: np.dtype | type, row_shape: tuple[int, ...] = ()) -> NpyWriter:
        return self.files.enter_context(NpyWriter(self.folder / f"{name}.npy", dtype, row_shape))

    def _append_segments(self, chunk: Mapping[str, np.ndarray], count: int) -> None:
        segments = np.asarray(chunk["segments"]) if "segments" in chunk else np.zeros(count, dtype=np.uint8)
        if segments.shape != (count,):
            raise ValueError(f"the chunk has {count} ids but segments of shape {segments.shape}")
        if self.segments is None and segments.any():
            self.segments = self._start("segments", np.uint8)
            for start in range(0, self.ids.length, 1 << 20):  # the tokens so far were all of segment 0
                self.segments.append(np.zeros(min(1 << 20, self.ids.length - start), dtype=np.uint8))
        if self.segments is not None:
            self.segments.append(segments)

    def _append_feature(self, name: str, values: np.ndarray, count: int) -> None:
        if values.dtype.kind not in "biuf" or values.shape[:1] != (count,):
            axis = f"axis '{self.axes[name]}' has {count} rows in this chunk"
            raise ValueError(f"feature '{name}' is {values.dtype} of shape {values.shape}; {axis}")
        if name not in self.features:
            self.features[name] = self._start(name, values.dtype, values.shape[1:])
        self.features[name].append(values)


def _mapped(folder: Path, name: str, length: int) -> np.ndarray:
    array = np.load(folder / f"{name}.npy", mmap_mode="r")
    if len(array) != length:
        raise ValueError(f"{folder / name}.npy has {len(array)} rows, not {length}")
    return np.asarray(array)  # the same mapped memory without np.memmap's slow indexing
