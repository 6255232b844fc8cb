"""When a request is sent again: what may be repeated safely, after pauses that grow, never beyond the deadline."""

import random
import time
from collections.abc import Callable

from keras_ft.errors import RequestError, WorkError
from keras_ft.serving.client.errors import NoAnswerError, ServingError

BUSY = (429, 503)
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 10.0


class Deadline:
    """The end of a call.

    Arguments:
        seconds: from now.
        clock: a monotonic clock.
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic):
        self.seconds, self._clock = seconds, clock
        self._end = clock() + seconds

    @property
    def left(self) -> float:
        """Seconds that are left; not below 0."""
        return max(0.0, self._end - self._clock())


class Attempts:
    """The tries of one request.

    Arguments:
        deadline: of the call that the request belongs to.
        retries: how often it may be sent again.
        draw: gives a number in [0, 1), for the jitter.
    """

    def __init__(self, deadline: Deadline, retries: int, draw: Callable[[], float] = random.random):
        self.deadline = deadline
        self._left, self._pause, self._draw = retries, FIRST_PAUSE, draw

    def pause_after(self, error: WorkError) -> float:
        """Seconds to wait before the next try: half to all of a pause that doubles each time, after what the server
        asked for; raises the error where there shall be no other try."""
        if not self._left or not _may_be_repeated(error):
            raise error
        seconds = self._pause * (1 + self._draw()) / 2
        if isinstance(error, ServingError) and error.retry_after is not None:
            seconds += error.retry_after
        if seconds >= self.deadline.left:
            raise error
        self._left -= 1
        self._pause = min(2 * self._pause, LONGEST_PAUSE)
        return seconds


def checked(timeout: float, retries: int, batch_size: int) -> None:
    """Raise `RequestError` for what no client can do."""
    if not timeout > 0:
        raise RequestError(f"timeout should be above 0 seconds, given {timeout}")
    if retries < 0:
        raise RequestError(f"retries should be 0 or more, given {retries}")
    if batch_size < 1:
        raise RequestError(f"batch_size should be 1 or more, given {batch_size}")


def _may_be_repeated(error: WorkError) -> bool:
    if isinstance(error, ServingError):
        return error.status in BUSY
    return isinstance(error, NoAnswerError) and error.is_unasked
