"""What the training loop asks of an engine."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

import numpy as np

from keras_ft.data.arrays import Arrays
from keras_ft.data.plans import Layout
from keras_ft.data.steps import Step
from keras_ft.evaluation.evaluate import Evaluator


class Engine(Evaluator, Protocol):
    """Does the arithmetic of training on some devices; knows nothing of epochs, files or callbacks.

    Attributes:
        model: owns the weights.
        optimizer: once `prepare` was called.
        layout: of the batches it computes.
        num_replicas: among which the examples of a step are divided.
        num_processes: that train together.
        most_shapes: how many shapes a batch may have in the rows layout.
    """

    model: Any
    optimizer: Any
    layout: Layout
    num_replicas: int
    num_processes: int
    most_shapes: int

    def prepare(self, total_steps: int) -> None:
        """Build the optimizer for a run of so many steps and compile the steps."""

    def batches(self, arrays: Arrays, steps: Sequence[Step], start: int) -> Iterator[Any]:
        """What `train_step` takes, for each step from the one numbered `start`."""

    def train_step(self, batch: Any, step: int, wishes: int = 0) -> dict[str, float]:
        """Learn from one batch; `step` counts from 0 and, with the seed, is the whole random state.

        Returns:
            `loss` (mean over items, before the update), `gradient_norm`, `learning_rate`, and `wishes`: the sum over
            the processes that train together of what each has to tell the others.
        """

    def averaged_weights(self) -> AbstractContextManager[None]:
        """Within it the model has the weights that are evaluated and kept: their moving averages, if there are any."""

    def recompile_evaluation(self) -> None:
        """Forget the compiled evaluation: the task's answers are other than they were."""

    def state(self) -> dict[str, np.ndarray]:
        """Weights (`model/…`), variables of the optimizer (`optimizer/…`) and others: copies, which no step changes."""

    def load_state(self, state: dict[str, np.ndarray]) -> None:
        """Take back what `state` gave; all but the weights may be absent, and other names may be there."""
