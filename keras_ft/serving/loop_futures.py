"""Futures of other threads, awaited in an event loop: what ends together wakes the loop once."""

import asyncio
from collections import deque
from concurrent.futures import Future


class LoopFutures:
    """As `asyncio.wrap_future`, which writes to the loop's pipe for each answer of a batch.

    Each of these writes gives the interpreter away, so that the thread that has the answers would wait for its turn
    once an answer, and the model with it.
    """

    def __init__(self):
        self._ended: _Ended | None = None

    def awaitable(self, future: Future) -> asyncio.Future:
        """A future of the running loop that ends as the given one does, and cancels it if it is cancelled."""
        loop = asyncio.get_running_loop()
        if self._ended is None or self._ended.loop is not loop:
            self._ended = _Ended(loop)
        ended, waiting = self._ended, loop.create_future()
        waiting.add_done_callback(lambda it: future.cancel() if it.cancelled() else None)
        future.add_done_callback(lambda done: ended.add(done, waiting))
        return waiting


class _Ended:
    """What has ended and is not yet known in a loop; `add` is called from any thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop):
        self.loop = loop
        self._pairs: deque[tuple[Future, asyncio.Future]] = deque()
        self._woken = False

    def add(self, done: Future, waiting: asyncio.Future) -> None:
        self._pairs.append((done, waiting))
        if not self._woken and not self.loop.is_closed():
            self._woken = True
            self.loop.call_soon_threadsafe(self._tell)

    def _tell(self) -> None:
        self._woken = False  # first: what ends from here on wakes the loop again
        while self._pairs:
            done, waiting = self._pairs.popleft()
            if waiting.done():
                continue
            if done.cancelled():
                waiting.cancel()
            elif (error := done.exception()) is not None:
                waiting.set_exception(error)
            else:
                waiting.set_result(done.result())
