"""A request on its way through the batcher: its future, and the pieces that it runs in."""

import threading
from collections.abc import Hashable
from concurrent.futures import Future
from dataclasses import dataclass, field

from keras_ft.serving.batching.arrays import Arrays, join


@dataclass(eq=False)
class Piece:
    """At most one batch of a request's rows; `index` is its place among the request's pieces.

    Only pieces of one `kind` and one length `group` share a batch; where `kind` is `None`, it runs by itself.
    `enqueued` is when it began to wait.
    """

    request: "Request"
    index: int
    inputs: Arrays = field(repr=False)
    rows: int
    kind: Hashable
    group: int
    enqueued: float = 0.0


class Request:
    """What a caller asked and the future that gets the answer: exactly once, from whichever thread is first.

    Arguments:
        signature: the signature's name.
        inputs: all of its rows.
        deadline: the clock's time after which nobody waits for the answer; `inf` for none.
        num_pieces: in how many pieces it runs.
    """

    def __init__(self, signature: str, inputs: Arrays, deadline: float = float("inf"), num_pieces: int = 1):
        self.signature = signature
        self.inputs = inputs
        self.deadline = deadline
        self.future: Future[Arrays] = Future()
        self.num_pieces = num_pieces
        self._lock = threading.Lock()
        self._begun = False
        self._wanted = True
        self._runs_whole = False
        self._answers: dict[int, Arrays] = {}

    def begin(self) -> bool:
        """Whether an answer is still wanted. If so, the caller cannot cancel any more."""
        with self._lock:
            if not self._begun:
                self._begun = True
                self._wanted = self.future.set_running_or_notify_cancel()
            return self._wanted

    def begin_whole(self) -> bool:
        """Whether the calling thread is the first that wants to run the request in one piece."""
        with self._lock:
            first, self._runs_whole = not self._runs_whole, True
            return first

    def answer(self, piece: Piece, outputs: Arrays) -> None:
        """Give one piece's outputs; the last one completes the answer."""
        with self._lock:
            self._answers[piece.index] = outputs
            complete = len(self._answers) == self.num_pieces
        if complete:
            self.answer_whole(join([self._answers[i] for i in range(self.num_pieces)]))

    def answer_whole(self, outputs: Arrays) -> None:
        """Give all of the outputs."""
        if self._end():
            self.future.set_result(outputs)

    def fail(self, error: BaseException) -> None:
        """End without an answer."""
        if self._end():
            self.future.set_exception(error)

    def _end(self) -> bool:
        wanted = self.begin()
        with self._lock:
            wanted, self._wanted = wanted and self._wanted, False
            return wanted
