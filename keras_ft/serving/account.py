"""What is known of a request while it is answered, and what is told of it when that is done."""

import time
from dataclasses import dataclass, field
from typing import Protocol

from keras_ft.serving.models.store import Lease
from keras_ft.serving.monitoring.observed import row_count
from keras_ft.serving.signature import Arrays


@dataclass
class Account:
    """A request.

    Attributes:
        api: `REST` or `GRPC`.
        method: `Predict`, `Classify`, `Regress`, `MultiInference`, or what it asks for else.
        model: as it named it.
        version: that answers, None while that is not known.
        signature: as it named it.
        rows: of its inputs.
        started: on the clock of `time.perf_counter`.
    """

    api: str
    method: str
    model: str = ""
    version: int | None = None
    signature: str = ""
    rows: int = 0
    started: float = field(default_factory=time.perf_counter)

    def answered_by(self, lease: Lease, signature: str, inputs: Arrays) -> None:
        """A version begins to answer it."""
        self.model, self.version = lease.version.name, lease.version.version
        self.signature, self.rows = signature, row_count(inputs)


class Watcher(Protocol):
    """Told of requests and of what models say; `ServerMetrics` is one."""

    def request(
        self,
        api: str,
        method: str,
        model: str,
        version: int | None,
        signature: str,
        code: str,
        seconds: float,
        rows: int,
    ) -> None:
        """A request was answered, well or not."""

    def answered(self, model: str, version: int, folder: str, signature: str, inputs: Arrays, outputs: Arrays) -> None:
        """A model gave an answer."""


def close_account(watcher: Watcher | None, account: Account, code: str) -> None:
    """Tell how a request ended; `code` is a `StatusError`'s, or `OK`."""
    if watcher is not None:
        seconds = time.perf_counter() - account.started
        it = account
        watcher.request(it.api, it.method, it.model, it.version, it.signature, code, seconds, it.rows)
