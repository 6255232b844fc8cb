"""What the loop writes while it runs: a CSV log and TensorBoard events, as ordinary Keras callbacks."""

import csv
import math
from pathlib import Path
from typing import Any

import keras

EVERY_STEPS = 10
COLUMNS = ("step", "loss", "learning_rate", "gradient_norm", "examples_per_second")


class _StepLog(keras.callbacks.Callback):
    """Hands on the training logs of every tenth step and the metrics of every evaluation."""

    step = 0

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        logs = logs or {}
        self.step = int(logs["step"])
        if self.step % EVERY_STEPS == 0:
            self.record({name: float(logs[name]) for name in COLUMNS if name != "step"})

    def on_test_end(self, logs: dict[str, float] | None = None) -> None:
        self.record({f"val_{name}": value for name, value in (logs or {}).items()})

    def record(self, values: dict[str, float]) -> None:
        raise NotImplementedError


class CSVLog(_StepLog):
    """`log.csv`: a row for every tenth step, and one for every evaluation.

    Args:
        path: the file; rows after `resumed_step`, which a killed run left, are dropped.
        metrics: names of the evaluation's metrics.
        resumed_step: where training goes on, 0 for a new run.
    """

    def __init__(self, path: Path, metrics: list[str], resumed_step: int):
        super().__init__()
        self.path = path
        self.step = resumed_step
        self.columns = [*COLUMNS, *(f"val_{name}" for name in metrics)]
        kept = []
        if resumed_step and path.is_file():
            with path.open(newline="", encoding="utf-8") as file:
                kept = [row for row in csv.DictReader(file) if _step_of(row) <= resumed_step]
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, self.columns, extrasaction="ignore")
            writer.writeheader()
            writer.writerows(kept)

    def record(self, values: dict[str, float]) -> None:
        """Append a row."""
        with self.path.open("a", newline="", encoding="utf-8") as file:
            shown = {name: f"{value:.6g}" for name, value in values.items()}
            csv.DictWriter(file, self.columns).writerow({"step": self.step, **shown})


class TensorBoardLog(_StepLog):
    """TensorBoard events: `train/…` every tenth step, `validation/…` at every evaluation.

    Args:
        folder: `tensorboard --logdir` reads it.
        resumed_step: where training goes on; later events that a killed run left are hidden by TensorBoard.
    """

    def __init__(self, folder: Path, resumed_step: int):
        super().__init__()
        import tensorflow as tf

        self.summary = tf.summary
        self.writer = tf.summary.create_file_writer(str(folder))
        self.step = resumed_step

    def record(self, values: dict[str, float]) -> None:
        """Write one scalar a value."""
        with self.writer.as_default(step=self.step):
            for name, value in values.items():
                kind, plain = ("validation", name[4:]) if name.startswith("val_") else ("train", name)
                self.summary.scalar(f"{kind}/{plain}", value)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Close the file."""
        self.writer.close()


def _step_of(row: dict[str, str]) -> float:
    try:
        return float(row["step"])
    except (KeyError, TypeError, ValueError):  # a row cut short by a crash
        return math.inf
