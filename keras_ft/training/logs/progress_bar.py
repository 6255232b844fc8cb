"""The progress bar of a run on a terminal; plain lines where there is none."""

import sys
import time
from typing import Any

import keras
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

SECONDS_BETWEEN_LINES = 30.0
SMOOTHING = 0.95


class ProgressBar(keras.callbacks.Callback):
    """Shows epoch, step, loss, validation metric, examples/s and remaining time.

    Args:
        total_steps: of the whole run.
        metric: the validation metric to show.
        resumed_step: where training goes on.
    """

    def __init__(self, total_steps: int, metric: str, resumed_step: int = 0):
        super().__init__()
        self.total_steps, self.metric, self.step = total_steps, metric, resumed_step
        self.loss = self.speed = 0.0
        self.epoch = 0
        self.value = ""
        self.last_line = time.monotonic()
        console = Console(file=sys.stderr)
        self.bar = Progress(
            TextColumn("epoch {task.fields[epoch]}"),
            BarColumn(bar_width=12),
            MofNCompleteColumn(),
            TextColumn("loss {task.fields[loss]:.3f}{task.fields[value]}  {task.fields[speed]:.0f} examples/s"),
            TimeRemainingColumn(compact=True),
            TextColumn("left"),
            console=console,
            disable=not console.is_terminal,
        )
        self.line = self.bar.add_task("train", total=total_steps, completed=resumed_step, **self._fields())

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Start drawing."""
        self.bar.start()
        self.started, self.first_step = time.monotonic(), self.step

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Note the epoch."""
        self.epoch = epoch + 1

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Smooth loss and speed, and show them."""
        logs = logs or {}
        first = self.step == self.first_step
        self.step = int(logs["step"])
        self.loss = logs["loss"] if first else SMOOTHING * self.loss + (1 - SMOOTHING) * logs["loss"]
        speed = logs["examples_per_second"]
        self.speed = speed if self.step <= self.first_step + 2 else SMOOTHING * self.speed + (1 - SMOOTHING) * speed
        self.bar.update(self.line, completed=self.step, **self._fields())
        if self.bar.disable and time.monotonic() - self.last_line >= SECONDS_BETWEEN_LINES:
            self._print_line()

    def on_test_end(self, logs: dict[str, float] | None = None) -> None:
        """Show the validation metric."""
        if logs and self.metric in logs:
            self.value = f"  val_{self.metric} {logs[self.metric]:.4f}"
        self.bar.update(self.line, **self._fields())
        if self.bar.disable:
            self._print_line()

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Leave the finished bar."""
        self.bar.stop()

    def close(self) -> None:
        """Give the terminal back, also after an error."""
        self.bar.stop()

    def _fields(self) -> dict[str, Any]:
        return {"epoch": self.epoch, "loss": self.loss, "value": self.value, "speed": self.speed}

    def _print_line(self) -> None:
        self.last_line = time.monotonic()
        done = max(1, self.step - self.first_step)
        left = (self.last_line - self.started) / done * (self.total_steps - self.step)
        print(
            f"epoch {self.epoch}  step {self.step}/{self.total_steps}  loss {self.loss:.3f}{self.value}"
            f"  {self.speed:.0f} examples/s  {left / 60:.1f} min left",
            file=sys.stderr,
            flush=True,
        )
