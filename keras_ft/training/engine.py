"""What the training loop asks of an engine."""

from typing import Any, Protocol

import numpy as np

from keras_ft.evaluation.evaluate import Evaluated


class Engine(Protocol):
    """Does the arithmetic of training on some devices; knows nothing of epochs, files or callbacks."""

    model: Any
    optimizer: Any

    def prepare(self, total_steps: int) -> None:
        """Build the optimizer for a run of so many steps and compile the steps."""

    def train_step(self, batch: Any, step: int) -> dict[str, float]:
        """Learn from one batch; `step` counts from 0 and, with the seed, is the whole random state.

        Returns:
            `loss` (mean over items, before the update), `gradient_norm`, `learning_rate`.
        """

    def eval_step(self, batch: Any) -> Evaluated:
        """The task's answers for a batch, the outputs they were made from, and the losses."""

    def recompile_eval_step(self) -> None:
        """Forget the compiled evaluation: the task's answers are other than they were."""

    def state(self) -> dict[str, np.ndarray]:
        """Every weight (`model/…`) and every variable of the optimizer (`optimizer/…`)."""

    def load_state(self, state: dict[str, np.ndarray]) -> None:
        """Take back what `state` gave; the optimizer's part may be absent."""
