"""`BatchingPredictor`: requests of many callers run together, a batch a call of the model.

A free thread takes what has accrued (`length_queues` says in which order); nobody waits for a batch to fill unless
`batch_timeout_micros` asks for it. Under light load a request runs alone at once; the heavier the load, the larger the
batches and the more rows a second.
"""

import logging
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from functools import partial
from typing import Any

from keras_ft.serving.batching.admission import Admission
from keras_ft.serving.batching.arrays import Arrays, batch_kind, common_rows, rows_between, text_length
from keras_ft.serving.batching.length_queues import LengthQueues, length_group, most_rows
from keras_ft.serving.batching.parameters import BatchingParameters
from keras_ft.serving.batching.request import Piece, Request
from keras_ft.serving.batching.runner import BatchRunner
from keras_ft.serving.monitoring.observed import BatchObserver
from keras_ft.serving.signature import DEFAULT_SIGNATURE, Predictor, Signature
from keras_ft.serving.status import StatusError, invalid

_log = logging.getLogger(__name__)


class BatchingPredictor:
    """A predictor that runs requests to another one in batches.

    Requests are concatenated along dimension 0 where they ask for the same signature with arrays of the same dtypes
    and the same shapes behind it, and the outputs are split again. A request runs by itself where its arrays have no
    common first dimension, or where the signature's outputs have not one row an input row. Answers are those that each
    request would get alone, but for the width of padded outputs (that of the widest row in the batch) and for the last
    bits of floating-point sums, whose order depends on the batch's size. If a batch fails, each of its requests runs
    alone once, and only those that fail alone get their error.

    Arguments:
        predictor: what is run; closed by `close`.
        parameters: sizes, threads and bounds.
        observer: is told of each batch.
        clock: seconds, as `time.monotonic`; deadlines are its times.
        lost_elsewhere: seconds that a request loses outside of the queue, now.
    """

    def __init__(
        self,
        predictor: Predictor,
        parameters: BatchingParameters | None = None,
        observer: BatchObserver | None = None,
        clock: Callable[[], float] = time.monotonic,
        lost_elsewhere: Callable[[], float] = lambda: 0.0,
    ):
        self.parameters = parameters = parameters or BatchingParameters()
        self._predictor = predictor
        self._clock = clock
        self._queues = LengthQueues(
            parameters.batch_rows, parameters.batch_timeout_micros / 1e6, parameters.num_batch_threads
        )
        self._admission = Admission(parameters, self._queues, lost_elsewhere)
        self._runner = BatchRunner(predictor, self._withdraw, self._learn, observer, clock)
        self._lock = threading.Lock()
        self._work = threading.Condition(self._lock)
        self._deadlines = threading.Condition(self._lock)
        self._next_deadline = float("inf")
        self._closing = self._drained = self._closed = False
        name = parameters.thread_pool_name
        self._threads = [
            threading.Thread(target=self._run_batches, name=f"{name}-{i}", daemon=True)
            for i in range(parameters.num_batch_threads)
        ]
        self._watch = threading.Thread(target=self._watch_deadlines, name=f"{name}-deadlines", daemon=True)
        for thread in (*self._threads, self._watch):
            thread.start()

    @property
    def signatures(self) -> Mapping[str, Signature]:
        """The signatures by name."""
        return self._predictor.signatures

    @property
    def signature_defs(self) -> Mapping[str, Any]:
        """The same signatures as `SignatureDef` protos."""
        return self._predictor.signature_defs

    @property
    def queued_rows(self) -> int:
        """How many rows wait for a thread."""
        return self._queues.rows

    def predict(self, signature_name: str, inputs: Arrays, deadline: float | None = None) -> Arrays:
        """Submit a request and wait for its answer; arguments and errors as `submit`."""
        return self.submit(signature_name, inputs, deadline).result()

    def submit(self, signature_name: str, inputs: Arrays, deadline: float | None = None) -> "Future[Arrays]":
        """Let a request wait for its batch.

        Arguments:
            signature_name: its name; empty means `serving_default`.
            inputs: one array per named input, strings as object arrays of bytes.
            deadline: the clock's time after which the answer is of no use; a request that still waits then is dropped.

        Returns:
            The outputs by name, or the `StatusError` that the model raised, or DEADLINE_EXCEEDED. A request that is
            cancelled while it waits is dropped at once.

        Raises:
            StatusError: the request is not accepted: RESOURCE_EXHAUSTED (the queue is full, or the wait would be longer
                than `max_queue_delay`; with `retry_after`), INVALID_ARGUMENT (more rows than ever fit),
                DEADLINE_EXCEEDED, or UNAVAILABLE (closed).
        """
        request = Request(signature_name or DEFAULT_SIGNATURE, inputs, float("inf") if deadline is None else deadline)
        pieces = self._pieces(request)
        request.num_pieces = len(pieces)
        # Weak, for a cycle would keep the inputs until the next garbage collection.
        request.future.add_done_callback(partial(self._drop_cancelled, weakref.ref(request)))
        group, rows = max(it.group for it in pieces), sum(it.rows for it in pieces)
        with self._lock:
            now = self._clock()
            if self._closing:
                raise StatusError("UNAVAILABLE", "The batch scheduler is closed")
            if request.deadline <= now:
                raise _too_late()
            self._admission.check(group, rows, now)
            for piece in pieces:
                piece.enqueued = now
                self._queues.add(piece)
            self._work.notify(len(pieces))
            if request.deadline < self._next_deadline:
                self._next_deadline = request.deadline
                self._deadlines.notify()
        return request.future

    def check_room(self) -> None:
        """Raise RESOURCE_EXHAUSTED, with `retry_after`, if not even one short row would be accepted now."""
        with self._lock:
            self._admission.check(group=0, rows=1, now=self._clock())

    def close(self) -> None:
        """Refuse new requests, finish those accepted, end the threads, then close the predictor."""
        with self._lock:
            self._closing = True
            self._work.notify_all()
        for thread in self._threads:
            thread.join()
        with self._lock:
            self._drained = True
            self._deadlines.notify()
        self._watch.join()
        with self._lock:
            first, self._closed = not self._closed, True
        if first:
            self._predictor.close()

    def _pieces(self, request: Request) -> list[Piece]:
        """A request's rows in pieces that fit into a batch."""
        parameters, inputs = self.parameters, request.inputs
        rows = common_rows(inputs)
        if (rows or 1) > parameters.queue_rows:
            raise invalid(f"Task size {rows} is larger than maximum input batch size {parameters.queue_rows}")
        group = length_group(text_length(inputs))
        if rows is None or not self._runner.is_batchable(request.signature):
            return [Piece(request, 0, inputs, rows or 1, None, group)]
        kind = request.signature, batch_kind(inputs, parameters.pad_variable_length_inputs)
        if not parameters.enable_large_batch_splitting:
            if rows > parameters.batch_rows:
                raise invalid(f"Task size {rows} is larger than maximum input batch size {parameters.batch_rows}")
            return [Piece(request, 0, inputs, rows, kind, group)]
        limit = most_rows(parameters.batch_rows, group)
        pieces = []
        for index, start in enumerate(range(0, rows, limit)):
            part = rows_between(inputs, start, start + limit) if rows > limit else inputs
            size, part_group = min(limit, rows - start), length_group(text_length(part)) if rows > limit else group
            pieces.append(Piece(request, index, part, size, kind, part_group))
        return pieces

    def _run_batches(self) -> None:
        while self._run_next_batch():
            pass

    def _run_next_batch(self) -> bool:
        """Wait for a batch and run it; false when there will be no more."""
        pieces = self._next_batch()
        if not pieces:
            return False
        try:
            now = self._clock()
            for piece in pieces:
                if piece.request.deadline <= now:
                    self._withdraw(piece.request)
                    piece.request.fail(_too_late())
            wanted = [piece for piece in pieces if piece.request.begin()]
            if wanted:
                self._runner.run(wanted)
        except Exception as error:
            _log.exception("a batch failed")
            for piece in pieces:
                piece.request.fail(error)
        finally:
            with self._lock:
                self._admission.finished(threading.get_ident())
                self._queues.finished(pieces[0].group)
        return True

    def _next_batch(self) -> list[Piece]:
        with self._lock:
            while True:
                now = self._clock()
                pieces = self._queues.take(now, at_once=self._closing)
                if pieces:
                    rows = sum(piece.rows for piece in pieces)
                    self._admission.started(threading.get_ident(), pieces[0].group, rows, now)
                    self._wake_if_drained()
                    return pieces
                if self._closing and not self._queues.rows:
                    return []
                self._work.wait(_until(self._queues.due_at(), now))

    def _withdraw(self, request: Request) -> None:
        """Take what still waits of a request out of the queue."""
        with self._lock:
            self._queues.withdraw(request)
            self._wake_if_drained()

    def _drop_cancelled(self, request: "weakref.ref[Request]", future: Future) -> None:
        if future.cancelled() and (found := request()) is not None:
            self._withdraw(found)

    def _wake_if_drained(self) -> None:
        if self._closing and not self._queues.rows:
            self._work.notify_all()

    def _learn(self, group: int, rows: int, seconds: float) -> None:
        with self._lock:
            self._admission.times.add(group, rows, seconds)

    def _watch_deadlines(self) -> None:
        while self._drop_overdue():
            pass

    def _drop_overdue(self) -> bool:
        """End the requests that wait beyond their deadlines, or wait for the next deadline; false when closed."""
        with self._lock:
            now = self._clock()
            overdue = [request for request in self._queues.requests if request.deadline <= now]
            if not overdue:
                if self._drained:
                    return False
                self._next_deadline = min((request.deadline for request in self._queues.requests), default=float("inf"))
                self._deadlines.wait(_until(self._next_deadline, now))
                return True
        for request in overdue:
            self._withdraw(request)
            request.fail(_too_late())
        return True


def _until(when: float, now: float) -> float | None:
    return None if when == float("inf") else min(max(0.0, when - now), threading.TIMEOUT_MAX)


def _too_late() -> StatusError:
    return StatusError("DEADLINE_EXCEEDED", "Run() timeout exceeded while waiting in batching queue")
