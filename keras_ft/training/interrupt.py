"""SIGINT (Ctrl-C) and SIGTERM (preemption) as requests that training obeys between two steps.

A signal in the middle of a step would otherwise end it with the weights updated and the step not counted.
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any


@dataclass
class StopRequest:
    """Whether a signal came."""

    requested: bool = False


@contextmanager
def stop_requests() -> Iterator[StopRequest]:
    """Catch the signals while training; a second one ends the process as usual, without waiting."""
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():  # only there may handlers be set
        yield request
        return
    signals = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.getsignal(number) for number in signals}

    def handle(number: int, frame: Any) -> None:
        request.requested = True
        for caught in signals:
            signal.signal(caught, before[caught])

    for number in signals:
        signal.signal(number, handle)
    try:
        yield request
    finally:
        for number in signals:
            signal.signal(number, before[number])
