"""Writing token arrays chunk by chunk; killed on the way, it goes on where it was last on the disk."""

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from keras_ft.data.arrays import AXES, RESERVED, TokenArrays
from keras_ft.data.npy import NpyWriter
from keras_ft.paths import write_whole

Chunk = Mapping[str, Any]
SECONDS_BETWEEN_COMMITS = 5.0
FILL = 1 << 20  # segments written at once where all before were 0


def write_arrays(
    folder: Path,
    fingerprint: str,
    chunks_from: Callable[[int], Iterable[Chunk]],
    axes: Mapping[str, str] | None = None,
    several_sequences: bool = False,
    texts: Sequence[str] = (),
) -> TokenArrays:
    """Write chunk after chunk; memory use is that of one chunk. What the folder held before is void at once.

    Args:
        folder: made if absent. If a call with the same fingerprint was killed in it, its examples are kept.
        fingerprint: of all that the arrays depend on (file contents, columns, tokenizer, length limit).
        chunks_from: is given the number of examples that are there already, and gives the chunks behind them: each a
            dict of `ids` (tokens,), `lengths` (sequences,) of at least 1, perhaps `segments` (tokens,) of 0 to 255,
            every feature of `axes`, and what the arguments below ask for. The first chunk decides a feature's dtype and
            trailing shape.
        axes: feature name → "token", "sequence" or "example", along which the feature's rows run.
        several_sequences: whether an example may have several; chunks then have `sequences` (examples,), how many, and
            `window_start` (sequences,).
        texts: names of the texts of an example; chunks have a list of strings under each.

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
        writer = _Writer(folder, fingerprint, axes, several_sequences, list(texts), files)
        for chunk in chunks_from(writer.num_examples):
            writer.append(chunk)
            writer.commit_now_and_then()
    if not writer.num_examples:
        raise ValueError(f"no sequences to write to {folder}")
    meta = {"fingerprint": fingerprint, **writer.meta()}
    write_whole(marker, json.dumps(meta, indent=1, ensure_ascii=False))
    writer.commit_file.unlink(missing_ok=True)
    return TokenArrays(folder, meta)


class _Writer:
    """The files being written, and how far they have come.

    `writing.json` says what of them is on the disk for certain.
    """

    def __init__(
        self,
        folder: Path,
        fingerprint: str,
        axes: dict[str, str],
        several_sequences: bool,
        texts: list[str],
        files: ExitStack,
    ):
        self.folder, self.fingerprint, self.axes, self.files = folder, fingerprint, axes, files
        self.several_sequences, self.text_names = several_sequences, texts
        self.commit_file = folder / "writing.json"
        self.last_commit = time.monotonic()
        self.segments: NpyWriter | None = None
        self.features: dict[str, NpyWriter] = {}
        self.sequences: NpyWriter | None = None
        self.texts: dict[str, tuple[NpyWriter, NpyWriter]] = {}  # bytes, ends
        try:
            self._take_up()
        except (OSError, ValueError, KeyError, TypeError):  # nothing there, or not ours
            self._begin()

    @property
    def num_examples(self) -> int:
        return (self.sequences or self.offsets).length - 1

    def append(self, chunk: Chunk) -> None:
        ids, lengths = np.asarray(chunk["ids"]), np.asarray(chunk["lengths"], dtype=np.int64)
        known = {"ids", "lengths", "segments", "sequences", "window_start", *self.axes, *self.text_names}
        if unknown := set(chunk) - known:
            raise ValueError(f"the chunk's {sorted(unknown)} have no axis")
        counts = np.asarray(chunk["sequences"], np.int64) if self.several_sequences else np.ones_like(lengths)
        if counts.sum() != len(lengths) or counts.min(initial=1) < 1:
            raise ValueError(f"the chunk has {len(lengths)} sequences, but its examples have {counts.tolist()}")
        if len(lengths) and lengths.min() < 1:
            raise ValueError(f"sequence {self.num_examples + lengths.argmin()} has no tokens")
        if lengths.sum() != len(ids):
            raise ValueError(f"the chunk's lengths add up to {lengths.sum()}, but there are {len(ids)} ids")
        self._append_segments(chunk, len(ids))
        self.ids.append(ids)
        self.offsets.append(self.ids.length - len(ids) + np.cumsum(lengths))
        sizes = {"token": len(ids), "sequence": len(lengths), "example": len(counts)}
        if self.sequences is not None:
            self.sequences.append(self.offsets.length - 1 - len(lengths) + np.cumsum(counts))
            self._append_feature("window_start", np.asarray(chunk["window_start"]), len(lengths))
        for name, axis in self.axes.items():
            self._append_feature(name, np.asarray(chunk[name]), sizes[axis])
        for name in self.text_names:
            self._append_texts(name, chunk[name], len(counts))

    def meta(self) -> dict:
        return {
            "num_examples": self.num_examples,
            "num_sequences": self.offsets.length - 1,
            "num_tokens": self.ids.length,
            "has_segments": self.segments is not None,
            "axes": self.axes,
            "several_sequences": self.several_sequences,
            "texts": self.text_names,
        }

    def commit_now_and_then(self) -> None:
        """See the files to the disk, and then say how far they are."""
        if time.monotonic() - self.last_commit < SECONDS_BETWEEN_COMMITS:
            return
        pairs = [file for pair in self.texts.values() for file in pair]
        maybe = [file for file in (self.segments, self.sequences) if file]
        for file in [self.ids, self.offsets, *maybe, *self.features.values(), *pairs]:
            file.to_disk()
        features = {name: [f.dtype.str, list(f.row_shape), f.length] for name, f in self.features.items()}
        text_bytes = {name: file.length for name, (file, _) in self.texts.items()}
        state = {"fingerprint": self.fingerprint, "features": features, "text_bytes": text_bytes, **self.meta()}
        write_whole(self.commit_file, json.dumps(state))
        self.last_commit = time.monotonic()

    def _begin(self) -> None:
        self.commit_file.unlink(missing_ok=True)
        self.segments, self.features = None, {}
        self.ids = self._start("ids", np.int32)
        self.offsets = self._start("offsets", np.int64)
        self.offsets.append(np.zeros(1, dtype=np.int64))
        self.sequences = self._start("sequences", np.int64) if self.several_sequences else None
        if self.sequences is not None:
            self.sequences.append(np.zeros(1, dtype=np.int64))
        self.texts = {
            name: (self._start(f"{name}.bytes", np.uint8), self._start(f"{name}.ends", np.int64))
            for name in self.text_names
        }
        (self.folder / "segments.npy").unlink(missing_ok=True)

    def _take_up(self) -> None:
        state = json.loads(self.commit_file.read_text(encoding="utf-8"))
        ours = (self.fingerprint, self.axes, self.several_sequences, self.text_names)
        if (state["fingerprint"], state["axes"], state["several_sequences"], state["texts"]) != ours:
            raise ValueError("made from other data")
        self.ids = self._start("ids", np.int32, keep=state["num_tokens"])
        self.offsets = self._start("offsets", np.int64, keep=state["num_sequences"] + 1)
        if state["has_segments"]:
            self.segments = self._start("segments", np.uint8, keep=state["num_tokens"])
        else:
            (self.folder / "segments.npy").unlink(missing_ok=True)
        for name, (dtype, row_shape, length) in state["features"].items():
            self.features[name] = self._start(name, np.dtype(dtype), tuple(row_shape), keep=length)
        if self.several_sequences:
            self.sequences = self._start("sequences", np.int64, keep=state["num_examples"] + 1)
        for name, size in state["text_bytes"].items():
            bytes_file = self._start(f"{name}.bytes", np.uint8, keep=size)
            self.texts[name] = (bytes_file, self._start(f"{name}.ends", np.int64, keep=state["num_examples"]))

    def _start(
        self, name: str, dtype: np.dtype | type, row_shape: tuple[int, ...] = (), keep: int | None = None
    ) -> NpyWriter:
        return self.files.enter_context(NpyWriter(self.folder / f"{name}.npy", dtype, row_shape, keep))

    def _append_segments(self, chunk: Chunk, count: int) -> None:
        segments = np.asarray(chunk["segments"]) if "segments" in chunk else np.zeros(count, dtype=np.uint8)
        if segments.shape != (count,):
            raise ValueError(f"the chunk has {count} ids but segments of shape {segments.shape}")
        if self.segments is None and segments.any():
            self.segments = self._start("segments", np.uint8)
            for start in range(0, self.ids.length, FILL):  # the tokens so far were all of segment 0
                self.segments.append(np.zeros(min(FILL, self.ids.length - start), dtype=np.uint8))
        if self.segments is not None:
            self.segments.append(segments)

    def _append_feature(self, name: str, values: np.ndarray, count: int) -> None:
        if values.dtype.kind not in "biuf" or values.shape[:1] != (count,):
            axis = f"axis '{self.axes.get(name, 'sequence')}' has {count} rows in this chunk"
            raise ValueError(f"feature '{name}' is {values.dtype} of shape {values.shape}; {axis}")
        if name not in self.features:
            self.features[name] = self._start(name, values.dtype, values.shape[1:])
        self.features[name].append(values)

    def _append_texts(self, name: str, values: Sequence[str], count: int) -> None:
        if len(values) != count:
            raise ValueError(f"text '{name}' is there {len(values)} times for {count} examples")
        encoded = [value.encode() for value in values]
        bytes_file, ends = self.texts[name]
        before = bytes_file.length
        bytes_file.append(np.frombuffer(b"".join(encoded), np.uint8))
        ends.append(before + np.cumsum([len(value) for value in encoded], dtype=np.int64))
