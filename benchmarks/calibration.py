"""Calibration error on the test set before and after temperature scaling, for finished classification runs.

    keras-ft train benchmarks/sst2.yaml --out runs/sst2
    keras-ft train pipelines/intent/recipe.yaml --out runs/intent
    python benchmarks/calibration.py runs/sst2 runs/intent

Asks each model once; seconds, besides the training. The temperature is the run's own, fitted on its validation set.
"""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from report import Bar, machine, publish
from scipy.special import softmax

BINS = 15


def main(runs: Annotated[list[Path], typer.Argument(metavar="RUN …", help="Finished run folders.")]) -> None:
    """Evaluate, print, and write results/calibration.json."""
    before = machine()
    rows = [row for run in runs for row in rows_of(run)]
    pairs = list(zip(rows[::2], rows[1::2], strict=True))
    for plain, scaled in pairs:
        if scaled["accuracy"] != plain["accuracy"]:
            sys.exit(f"{plain['run']}: the accuracy changed from {plain['accuracy']} to {scaled['accuracy']}")
    least = min(1 - scaled["ECE"] / plain["ECE"] for plain, scaled in pairs)
    bar = Bar("Part of the calibration error that scaling removes, on the test set where it removes least", 0.01, least)
    publish("calibration", f"Expected calibration error on test, {BINS} bins", rows, bar, before)


def rows_of(folder: Path) -> list[dict[str, Any]]:
    """Two rows of the table: with the temperature 1, and with the run's."""
    from keras_ft.evaluation.calibration import expected_calibration_error

    temperature, logits, scores, answered, expected = ask(folder)
    plain = softmax(logits.astype(np.float64), axis=-1)
    found = []
    for value, best, score in ((1.0, logits.argmax(-1), plain.max(-1)), (temperature, answered, scores)):
        correct = best == expected
        ece = expected_calibration_error(score, correct, BINS)
        found.append(
            {
                "run": folder.name,
                "temperature": value,
                "examples": len(expected),
                "accuracy": float(correct.mean()),
                "mean score": float(score.mean()),
                "ECE": ece,
            }
        )
    return found


def ask(folder: Path) -> tuple[float, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The run's temperature, and for its test examples logits, best score, best label's number and the true one."""
    from keras_ft.data.arrays import TokenArrays
    from keras_ft.evaluation.evaluate import TFEvaluator
    from keras_ft.run_folder import RunFolder
    from keras_ft.tasks.model import load_model

    run = RunFolder(folder)
    recipe, trained = run.read_recipe(), load_model(run.model)
    fingerprint = json.loads((run.data / "prepared.json").read_text(encoding="utf-8"))["fingerprint"]
    arrays = TokenArrays.open(run.data / "test", fingerprint)
    if arrays is None:
        sys.exit(f"{folder} has no test examples in its data/")
    numbers = {name.encode(): number for number, name in enumerate(trained.task.labels.names)}
    evaluator = TFEvaluator(trained.model, trained.task, recipe.train.precision)
    parts = [
        (
            found.outputs["logits"],
            found.answers["score"],
            np.array([numbers[label] for label in found.answers["labels"][:, 0]]),
            tensors["label"],
        )
        for tensors, found in evaluator.evaluated(arrays)
    ]
    logits, scores, answered, expected = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    return float(trained.task.temperature), logits, scores, answered, expected


if __name__ == "__main__":
    typer.run(main)
