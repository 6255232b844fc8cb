"""Named arrays of several requests ⇄ those of one batch, along dimension 0."""

from collections.abc import Hashable, Sequence

import numpy as np

Arrays = dict[str, np.ndarray]

_STRINGS = "OSU"


def common_rows(arrays: Arrays) -> int | None:
    """The size of dimension 0 that all arrays share; `None` where they do not, or where it is 0."""
    sizes = {array.shape[0] if array.ndim else 0 for array in arrays.values()}
    return sizes.pop() or None if len(sizes) == 1 else None


def batch_kind(arrays: Arrays, pad: bool) -> Hashable:
    """What must be equal for requests to be concatenated: names, dtypes and shapes behind dimension 0 (with `pad`, only
    how many dimensions there are)."""
    return tuple((name, it.dtype, it.ndim if pad else it.shape[1:]) for name, it in sorted(arrays.items()))


def text_length(arrays: Arrays) -> int:
    """Bytes of the strings in the longest row, all string inputs together; 0 without strings."""
    rows = common_rows(arrays)
    texts = [array for array in arrays.values() if array.dtype.kind in _STRINGS]
    if rows is None or rows == 1:  # as nearly all requests of a service have: numpy takes longer
        return sum(_length(text) for array in texts for text in array.ravel().tolist())
    # Each list is (rows · strings in a row), its sums (rows).
    lengths = [np.reshape([_length(it) for it in array.ravel().tolist()], (rows, -1)).sum(1) for array in texts]
    return int(np.max(np.sum(lengths, axis=0), initial=0))


def rows_between(arrays: Arrays, start: int, stop: int) -> Arrays:
    """Rows `start` up to `stop` of each array, not copied."""
    return {name: array[start:stop] for name, array in arrays.items()}


def merge(requests: Sequence[Arrays]) -> Arrays:
    """The arrays of several requests of one kind, one after the other; where shapes differ, padded to the widest."""
    return {
        name: _concatenate([request[name] for request in requests], _input_filler) for name in requests[0]
    }  # (sum of rows, …)


def split(outputs: Arrays, sizes: Sequence[int]) -> list[Arrays] | None:
    """The outputs of each request, given how many rows it has; `None` if some output has not one row an input row."""
    total = sum(sizes)
    if any(output.ndim == 0 or output.shape[0] != total for output in outputs.values()):
        return None
    stops = np.cumsum(sizes).tolist()
    return [rows_between(outputs, stop - size, stop) for stop, size in zip(stops, sizes, strict=True)]


def join(pieces: Sequence[Arrays]) -> Arrays:
    """The outputs of a request that ran in pieces; narrow ones are filled with −1 and empty strings, as exports do."""
    if len(pieces) == 1:
        return pieces[0]
    return {name: _concatenate([piece[name] for piece in pieces], _output_filler) for name in pieces[0]}


def _length(text) -> int:
    return len(text) if isinstance(text, bytes | str) else 0


def _concatenate(arrays: list[np.ndarray], filler) -> np.ndarray:
    shapes = {array.shape[1:] for array in arrays}
    if len(shapes) > 1:
        widest = tuple(max(sizes) for sizes in zip(*shapes, strict=True))
        arrays = [_widened(array, widest, filler(array)) for array in arrays]
    return np.concatenate(arrays)


def _widened(array: np.ndarray, shape: tuple[int, ...], value) -> np.ndarray:
    wide = np.full((len(array), *shape), value, array.dtype)
    wide[tuple(slice(size) for size in array.shape)] = array
    return wide


def _input_filler(array: np.ndarray):
    if array.dtype.kind in _STRINGS:
        return b""
    return array.flat[0] if array.size else 0


def _output_filler(array: np.ndarray):
    if array.dtype.kind in _STRINGS:
        return b""
    return -1 if array.dtype.kind in "if" else 0
