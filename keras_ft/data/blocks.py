"""Documents as one stream of tokens, cut into blocks of one length, whatever the documents' own lengths."""

from typing import Any

import numpy as np

from keras_ft.data.arrays import TokenArrays, laid_out


class Blocks:
    """Windows over documents that lie one behind the other; an example is a window.

    A window begins with the last token of the one before, so that a language model predicts every token once. The last
    one is as long as what is left.

    Args:
        documents: the tokenized documents, in this order.
        length: tokens of a window, at least 2.
    """

    axes: dict[str, str] = {}  # noqa: RUF012

    def __init__(self, documents: TokenArrays, length: int):
        self.documents, self.length = documents, length
        lengths = documents.lengths
        self._ends = np.cumsum(lengths)  # (documents,) of each in the stream
        self._begins = self._ends - lengths

    @property
    def stream_length(self) -> int:
        """Tokens of all documents."""
        return int(self._ends[-1]) if len(self._ends) else 0

    @property
    def num_examples(self) -> int:
        """How many windows there are."""
        return max(0, -(-(self.stream_length - 1) // (self.length - 1)))

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of each window, `(windows,)` int64."""
        return self._lengths_of(np.arange(self.num_examples))

    @property
    def most_sequences(self) -> int:
        """A window is one sequence."""
        return 1

    @property
    def is_selection(self) -> bool:
        """Whether the documents are only some of those in their files."""
        return self.documents.is_selection

    @property
    def identity(self) -> dict[str, Any]:
        """What tells these windows from others made from the same data."""
        return {**self.documents.identity, "block": self.length}

    def gather(self, indices: np.ndarray) -> dict[str, np.ndarray]:
        """Lay the windows at `indices` one behind the other; see `TokenArrays.gather`. All segments are 1."""
        indices = np.asarray(indices, dtype=np.int64)
        batch = laid_out(self._lengths_of(indices))
        stream = (indices * (self.length - 1))[batch["sequence"]] + batch["positions"]  # (tokens,) places in the stream
        document = np.searchsorted(self._ends, stream, side="right")
        ids = self.documents.ids_at(document, stream - self._begins[document])
        return {**batch, "ids": ids, "segments": np.ones(len(ids), np.int32)}

    def texts(self, indices: np.ndarray) -> dict[str, list[str]]:
        """None are kept."""
        return {}

    def _lengths_of(self, indices: np.ndarray) -> np.ndarray:
        return np.minimum(self.length, self.stream_length - indices * (self.length - 1))
