"""Runs a batch: concatenated in one call of the model, or each request alone where that cannot be."""

import logging
import time
from collections.abc import Callable

from keras_ft.serving.batching.arrays import Arrays, merge, split
from keras_ft.serving.batching.request import Piece, Request
from keras_ft.serving.monitoring.observed import BatchObserver, byte_lengths
from keras_ft.serving.signature import Predictor, Signature

_log = logging.getLogger(__name__)


class BatchRunner:
    """Runs pieces of requests and answers the requests.

    Arguments:
        predictor: what is run.
        withdraw: called with a request whose other pieces need not run any more.
        learn: called with length group, rows and seconds of each run.
        observer: is told of each run.
        clock: seconds.
    """

    def __init__(
        self,
        predictor: Predictor,
        withdraw: Callable[[Request], None],
        learn: Callable[[int, int, float], None],
        observer: BatchObserver | None = None,
        clock: Callable[[], float] = time.monotonic,
    ):
        self._predictor = predictor
        self._withdraw = withdraw
        self._learn = learn
        self._observer = observer
        self._clock = clock
        self._batchable = {name for name, it in predictor.signatures.items() if _may_be_batched(it)}

    def is_batchable(self, signature: str) -> bool:
        """Whether every input and output of a signature has one row an example, as far as is known yet."""
        return signature in self._batchable

    def run(self, pieces: list[Piece]) -> None:
        """Run pieces of one kind and answer, or fail, their requests; raises nothing of the model's."""
        if len(pieces) > 1 and self._run_together(pieces):
            return
        for piece in pieces:
            if piece.request.begin():
                try:
                    self._run_alone(piece)
                except Exception as error:
                    self._withdraw(piece.request)
                    piece.request.fail(error)

    def _run_together(self, pieces: list[Piece]) -> bool:
        signature, sizes = pieces[0].request.signature, [piece.rows for piece in pieces]
        if not self.is_batchable(signature):
            return False
        try:
            outputs, start, seconds = self._predict(signature, merge([piece.inputs for piece in pieces]))
        except Exception:  # one of them is guilty; run alone, the others do not suffer for it
            return False
        parts = split(outputs, sizes)
        if parts is None:
            self._is_not_batchable(signature)
            return False
        self._report(pieces, start, seconds)
        for piece, part in zip(pieces, parts, strict=True):
            piece.request.answer(piece, part)
        return True

    def _run_alone(self, piece: Piece) -> None:
        request = piece.request
        if not self._is_wrongly_cut(request):
            outputs, start, seconds = self._predict(request.signature, piece.inputs)
            self._report([piece], start, seconds)
            if self.is_batchable(request.signature) and split(outputs, [piece.rows]) is None:
                self._is_not_batchable(request.signature)
            if not self._is_wrongly_cut(request):
                request.answer(piece, outputs)
                return
        if request.begin_whole():
            self._withdraw(request)
            request.answer_whole(self._predictor.predict(request.signature, request.inputs))

    def _is_wrongly_cut(self, request: Request) -> bool:
        return request.num_pieces > 1 and not self.is_batchable(request.signature)

    def _predict(self, signature: str, inputs: Arrays) -> tuple[Arrays, float, float]:
        start = self._clock()
        outputs = self._predictor.predict(signature, inputs)
        return outputs, start, self._clock() - start

    def _report(self, pieces: list[Piece], start: float, seconds: float) -> None:
        rows = sum(piece.rows for piece in pieces)
        self._learn(pieces[0].group, rows, seconds)
        if self._observer is not None:
            waited = [start - piece.enqueued for piece in pieces]
            try:
                lengths = [length for piece in pieces for length in byte_lengths(piece.inputs)]
                self._observer.batch(pieces[0].request.signature, rows, len(pieces), waited, seconds, lengths)
            except Exception:
                _log.exception("the observer of batches failed")

    def _is_not_batchable(self, signature: str) -> None:
        _log.warning("signature %s is not batched: some output has not one row an input row", signature)
        self._batchable.discard(signature)


def _may_be_batched(signature: Signature) -> bool:
    shapes = [spec.shape for spec in (*signature.inputs.values(), *signature.outputs.values())]
    return all(shape is None or (len(shape) > 0 and shape[0] is None) for shape in shapes)
