"""One `.npy` file that grows as arrays are appended to it."""

import os
from pathlib import Path
from types import TracebackType
from typing import IO

import numpy as np


class NpyWriter:
    """Write a `.npy` file chunk by chunk; memory use is that of one chunk.

    Until it is closed the file's header says that it holds nothing. numpy leaves room in the header for the first
    dimension to grow, so closing rewrites it in place.

    Args:
        path: the file; one already there is unlinked first, so that who has it mapped keeps the old one, unless rows
            of it are kept.
        dtype: what is stored; appended arrays are cast to it where that loses nothing but precision of the same kind.
        row_shape: shape of one row, `()` for a flat array.
        keep: how many rows that an earlier writer wrote, and saw to the disk, are kept; the rest is cut off.

    Raises:
        ValueError: the file holds fewer rows than are to be kept.
    """

    def __init__(self, path: Path, dtype: np.dtype | type, row_shape: tuple[int, ...] = (), keep: int | None = None):
        self.dtype = np.dtype(dtype)
        self.row_shape = tuple(row_shape)
        self.length = 0
        if keep is None:
            path.unlink(missing_ok=True)
        self._file: IO[bytes] = path.open("wb" if keep is None else "r+b")
        self._header_size = self._write_header()
        if keep is not None:
            self._cut(path, keep)

    def append(self, array: np.ndarray) -> None:
        """Append rows: `(rows, *row_shape)`; another row shape or a dtype of another kind is a ValueError."""
        if array.shape[1:] != self.row_shape:
            raise ValueError(f"rows have shape {array.shape[1:]}, those before {self.row_shape}")
        if not np.can_cast(array.dtype, self.dtype, casting="same_kind") and array.dtype.kind not in "iu":
            raise ValueError(f"values are {array.dtype}, those before {self.dtype}")
        self._file.write(np.ascontiguousarray(array, dtype=self.dtype).data)
        self.length += len(array)

    def to_disk(self) -> None:
        """See to the disk what was appended so far."""
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Write the true header and see the file to the disk."""
        self._file.seek(0)
        assert self._write_header() == self._header_size
        self.to_disk()
        self._file.close()

    def __enter__(self) -> "NpyWriter":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if kind is None:
            self.close()
        else:
            self._file.close()

    def _cut(self, path: Path, rows: int) -> None:
        row_bytes = self.dtype.itemsize * int(np.prod(self.row_shape, dtype=np.int64))
        end = self._header_size + rows * row_bytes
        if os.fstat(self._file.fileno()).st_size < end:
            self._file.close()
            raise ValueError(f"{path} holds fewer than {rows} rows")
        self._file.truncate(end)
        self._file.seek(end)
        self.length = rows

    def _write_header(self) -> int:
        description = np.lib.format.dtype_to_descr(self.dtype)
        header = {"descr": description, "fortran_order": False, "shape": (self.length, *self.row_shape)}
        np.lib.format.write_array_header_1_0(self._file, header)
        return self._file.tell()
