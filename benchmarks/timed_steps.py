"""The callback by which `Contender` has a training, whosever it is, stop between rounds and time itself."""

import json
import sys
import time
from typing import Any

import keras


class TimedSteps(keras.callbacks.Callback):
    """After every so many steps, writes the seconds they took as JSON and waits for a line; ends where none comes.

    Args:
        steps: in a round.
        warmup_steps: in the first, which pays for tracing.
    """

    def __init__(self, steps: int, warmup_steps: int):
        super().__init__()
        self.steps, self.left = steps, warmup_steps
        self.started = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Count the step."""
        self.left -= 1
        if self.left:
            return
        float((logs or {})["loss"])  # a device may still be at work
        print(json.dumps({"seconds": time.perf_counter() - self.started}), flush=True)
        if not sys.stdin.readline():
            sys.exit()
        self.left, self.started = self.steps, time.perf_counter()
