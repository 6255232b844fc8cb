"""`log.csv`: the curves of a run as a table."""

import csv
import math
from pathlib import Path

from keras_ft.training.logs.step_log import COLUMNS, StepLog


class CSVLog(StepLog):
    """A row for every so many steps, and one for every evaluation.

    Args:
        path: the file; rows after `resumed_step`, which a killed run left, are dropped.
        metrics: names of the evaluation's metrics.
        every: steps from one row to the next.
        resumed_step: where training goes on, 0 for a new run.
    """

    def __init__(self, path: Path, metrics: list[str], every: int, resumed_step: int):
        super().__init__(every, resumed_step)
        self.path = path
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


def _step_of(row: dict[str, str]) -> float:
    try:
        return float(row["step"])
    except (KeyError, TypeError, ValueError):  # a row cut short by a crash
        return math.inf
