"""SIGINT (Ctrl-C) and SIGTERM (preemption) as requests that training obeys between two steps.

A signal in the middle of a step would otherwise end it with the weights updated and the step not counted.
"""

import signal
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from keras_ft.errors import ResumeError

T = TypeVar("T")
SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stopped(Exception):
    """Training left off where it stood, because of a signal."""


class _Terminated(BaseException):
    """SIGTERM came; no library's `except Exception` may take it for an error of its own."""

    exit_code = ResumeError.exit_code

    def __str__(self) -> str:
        return "stopped by SIGTERM; the same command goes on"


@dataclass
class StopRequest:
    """The signal that came, if one did."""

    signal: int | None = None

    def check(self) -> None:
        """Raise `Stopped` if a signal came."""
        if self.signal is not None:
            raise Stopped

    def obeyed(self, work: Iterable[T]) -> Iterator[T]:
        """The same items, until a signal came; then `Stopped` is raised."""
        for item in work:
            yield item
            self.check()

    def error(self, step: int) -> BaseException:
        """What to end the process with: a preempted one exits with 75, one that its user stopped with 130."""
        if self.signal == signal.SIGINT:
            return KeyboardInterrupt(f"interrupted after step {step}")
        cause = "SIGTERM" if self.signal else "another worker"
        return ResumeError(f"stopped by {cause} after step {step}; the same command goes on from there")


@contextmanager
def stop_requests() -> Iterator[StopRequest]:
    """Catch the signals while training; a second one ends the process as usual, without waiting."""
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():  # only there may handlers be set
        yield request
        return
    before = {number: signal.getsignal(number) for number in SIGNALS}

    def handle(number: int, frame: Any) -> None:
        request.signal = number
        signal.signal(signal.SIGINT, before[signal.SIGINT])
        signal.signal(signal.SIGTERM, signal.SIG_DFL)

    for number in SIGNALS:
        signal.signal(number, handle)
    try:
        yield request
    finally:
        for number in SIGNALS:
            signal.signal(number, before[number])


@contextmanager
def resumable() -> Iterator[None]:
    """End at once at SIGTERM, with the exit code that says to run the same command again.

    It holds where `stop_requests` does not: while data are tokenized, and while the trained model is tested.

    Raises:
        ResumeError: SIGTERM came.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handle(number: int, frame: Any) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        raise _Terminated

    before = signal.signal(signal.SIGTERM, handle)
    try:
        yield
    except _Terminated:
        raise ResumeError(str(_Terminated())) from None
    finally:
        signal.signal(signal.SIGTERM, before)
