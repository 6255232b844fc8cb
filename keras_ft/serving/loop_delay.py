"""How late the event loop is: what requests wait before and behind the queue, and what no queue can see."""

import asyncio
import time
from collections.abc import Callable

BEAT = 0.01  # seconds
DECAY = 0.8  # a beat
ROUNDS = 3
"""Times that a request waits for its turn in the loop: to be read, to be looked at, to be answered."""


class LoopDelay:
    """Measures an event loop by a heartbeat; under overload each of its rounds does the work of many requests.

    Arguments:
        clock: seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        self._clock = clock
        self._due = float("inf")
        self._late = 0.0

    @property
    def seconds(self) -> float:
        """What the loop adds to the answer of a request that comes now; 0 while nobody measures."""
        return ROUNDS * max(self._late, self._clock() - self._due)

    async def measure(self) -> None:
        """Go on until cancelled."""
        while True:
            self._due = self._clock() + BEAT
            await asyncio.sleep(BEAT)
            self._late = max(self._clock() - self._due, DECAY * self._late)
