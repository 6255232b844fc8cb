"""A predictor that reports each of its runs, for a server that does not batch."""

import math
import time
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from keras_ft.serving.signature import DEFAULT_SIGNATURE, Predictor, Signature


class BatchObserver(Protocol):
    """Told of every batch that a model ran."""

    def batch(
        self,
        signature: str,
        rows: int,
        requests: int,
        queue_seconds: Sequence[float],
        run_seconds: float,
        lengths: Sequence[int] = (),
    ) -> None:
        """A batch is done.

        Arguments:
            signature: its name.
            rows: in the batch.
            requests: they came from.
            queue_seconds: how long each request waited; nothing where none does.
            run_seconds: of the model.
            lengths: of the rows' texts, in any unit that grows with their tokens.
        """


class ObservedPredictor:
    """A predictor like the one it wraps; a request is a batch that did not wait.

    Arguments:
        predictor: is wrapped.
        observer: is told of each prediction that succeeded.
    """

    def __init__(self, predictor: Predictor, observer: BatchObserver):
        self._predictor, self._observer = predictor, observer

    @property
    def signatures(self) -> Mapping[str, Signature]:
        """As the predictor has them."""
        return self._predictor.signatures

    @property
    def signature_defs(self) -> Mapping[str, Any]:
        """As the predictor has them."""
        return self._predictor.signature_defs

    def predict(self, signature_name: str, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """As the predictor does."""
        begin = time.perf_counter()
        outputs = self._predictor.predict(signature_name, inputs)
        seconds = time.perf_counter() - begin
        lengths = byte_lengths(inputs)
        rows = len(lengths) or row_count(inputs)
        self._observer.batch(signature_name or DEFAULT_SIGNATURE, rows, 1, [], seconds, lengths)
        return outputs

    def close(self) -> None:
        """Close the predictor."""
        self._predictor.close()


def byte_lengths(inputs: Mapping[str, np.ndarray]) -> list[int]:
    """Bytes of each row's texts, over all inputs that are strings; nothing where none is."""
    texts = rows_of_texts(inputs).values()
    return [sum(len(text) for row in rows for text in row) for rows in zip(*texts, strict=False)]


def rows_of_texts(inputs: Mapping[str, np.ndarray]) -> dict[str, list[list[bytes]]]:
    """Of each input that is strings, its rows: a list of all strings of a row."""
    strings = {name: it for name, it in inputs.items() if it.dtype == object and it.ndim}
    return {name: it.reshape(len(it), math.prod(it.shape[1:])).tolist() for name, it in strings.items()}


def row_count(inputs: Mapping[str, np.ndarray]) -> int:
    """Rows of a request, 1 where its arrays have none."""
    return max((len(it) if it.ndim else 1 for it in inputs.values()), default=0)
