"""keras_ft on its turn to train some steps; `language_model.py` runs it as a process of its own.

    python benchmarks/language_model_keras.py ENGINE PRECISION CORPORA ROUNDS STEPS FOLDER

ENGINE is tensorflow or jax, PRECISION float32 or bfloat16; FOLDER holds what `write_start` wrote.
"""

# ruff: noqa: E402, the backend comes before Keras

import sys
import tempfile
from pathlib import Path
from typing import Any

from keras_ft.backend import use_backend

use_backend(sys.argv[1])

import keras
from language_model_data import BATCH_SIZE, BLOCK, recipe
from turns import TimedEpochs

from keras_ft.recipe import Recipe
from keras_ft.training.train import train


class RoundTimer(keras.callbacks.Callback):
    """Has keras_ft's loop call `TimedEpochs` every so many steps."""

    def __init__(self, timing: TimedEpochs, steps: int):
        super().__init__()
        self.timing, self.steps, self.done = timing, steps, 0

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Wait for the first round."""
        self.timing.begin()

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Stop between rounds."""
        self.done += 1
        if self.done % self.steps == 0:
            self.timing.begin()


def main(engine: str, precision: str, corpora: str, rounds: str, steps: str, folder: str) -> None:
    """Train to the end, and say the loss on test."""
    timing = TimedEpochs(int(steps) * BATCH_SIZE * BLOCK)
    settings = recipe(engine, precision, int(rounds) * int(steps), Path(corpora), folder)
    with tempfile.TemporaryDirectory() as scratch:
        timer = RoundTimer(timing, int(steps))
        metrics = train(Recipe.model_validate(settings), Path(scratch) / "run", [timer], tell=lambda line: None)
    timing.end(loss=metrics["test"]["loss"])


if __name__ == "__main__":
    main(*sys.argv[1:])
