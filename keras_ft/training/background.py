"""One job at a time in a thread beside training, none of which is lost to an error that passes."""

import threading
from collections.abc import Callable
from dataclasses import dataclass

Job = Callable[[], None]


@dataclass
class _Outcome:
    job: Job
    error: BaseException | None = None


def _nothing() -> None:
    pass


class Background:
    """Runs jobs in their order, at most one at a time.

    A job that failed is tried once more, in the foreground, when the next one comes or by `wait`; only if it fails
    again is its error raised. A disk that was full for a moment thus costs nothing.
    """

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None
        self._outcome: _Outcome | None = None

    def run(self, job: Job) -> None:
        """Begin a job, once the one before is done.

        Raises:
            Exception: what the job before raised, twice.
        """
        self.wait()
        outcome = self._outcome = _Outcome(job)

        def work() -> None:
            try:
                job()
            except BaseException as error:  # it is raised where someone sees it
                outcome.error = error
            else:
                outcome.job = _nothing  # lets go of what it wrote

        # A daemon, so that a second Ctrl-C need not wait for it: what it leaves half-written counts for nothing.
        self._thread = threading.Thread(target=work, name="checkpoint", daemon=True)
        self._thread.start()

    def wait(self) -> None:
        """Wait for the job under way.

        Raises:
            Exception: what it raised, twice.
        """
        if self._thread:
            self._thread.join()
        outcome, self._thread, self._outcome = self._outcome, None, None
        if outcome and outcome.error:
            outcome.job()
