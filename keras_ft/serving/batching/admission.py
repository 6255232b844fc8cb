"""Which requests a queue accepts: what fits, and what would not wait too long."""

from collections.abc import Callable

from keras_ft.serving.batching.length_queues import LengthQueues, most_rows
from keras_ft.serving.batching.parameters import BatchingParameters
from keras_ft.serving.batching.run_times import RunTimes, free_in
from keras_ft.serving.status import StatusError

RETRY_SECONDS = 1.0  # where nothing has been measured yet

_FULL = "The batch scheduling queue to which this task was submitted is full; "


class Admission:
    """Knows what waits and what runs, and how long that takes; not thread-safe.

    Arguments:
        parameters: the bounds.
        queues: what waits.
        lost_elsewhere: seconds that a request loses outside of the queue, now; they count as waiting.
    """

    def __init__(
        self, parameters: BatchingParameters, queues: LengthQueues, lost_elsewhere: Callable[[], float] = lambda: 0.0
    ):
        self.times = RunTimes()
        self._lost_elsewhere = lost_elsewhere
        self._parameters = parameters
        self._queues = queues
        self._running: dict[int, tuple[int, int, float]] = {}

    def started(self, thread: int, group: int, rows: int, now: float) -> None:
        """A thread has begun a batch of a length group."""
        self._running[thread] = group, rows, now

    def finished(self, thread: int) -> None:
        """A thread has ended its batch."""
        del self._running[thread]

    def check(self, group: int, rows: int, now: float) -> None:
        """Raise RESOURCE_EXHAUSTED, with `retry_after`, if rows of a length group do not fit or would wait too long."""
        parameters, room = self._parameters, self._parameters.queue_rows - self._queues.rows
        if rows > room:
            message = (
                f"{_FULL}task size is {rows} but scheduling capacity is only {room} (max_enqueued_batches="
                f"{parameters.max_enqueued_batches}, max_execution_batch_size={parameters.batch_rows})"
            )
            longest = max(self._queues.rows_of_group, default=0)
            raise StatusError("RESOURCE_EXHAUSTED", message, self.wait(longest, now) or RETRY_SECONDS)
        if parameters.max_queue_delay is not None:
            wait = self.wait(group, now) + self._lost_elsewhere()
            if wait > parameters.max_queue_delay:
                bound = parameters.max_queue_delay
                message = f"{_FULL}the wait would be {wait:.3g} s and max_queue_delay is {bound:g} s"
                raise StatusError("RESOURCE_EXHAUSTED", message, wait)

    def wait(self, group: int, now: float) -> float:
        """Seconds until a thread would turn to a new request of a length group."""
        before = {waiting: rows for waiting, rows in self._queues.rows_of_group.items() if waiting <= group}
        work = sum(self._seconds(waiting, rows) for waiting, rows in before.items())
        busy = [max(0.0, start + self._seconds(it, rows) - now) for it, rows, start in self._running.values()]
        busy = sorted(busy + [0.0] * (self._parameters.num_batch_threads - len(busy)))
        if group and len(busy) > 1:
            busy = busy[1:]  # long requests leave one thread to short ones
        return free_in(busy, work)

    def _seconds(self, group: int, rows: int) -> float:
        return self.times.seconds(group, rows, most_rows(self._parameters.batch_rows, group))
