"""The learning rate over a run."""

import math
from typing import Any

import keras
from keras import ops

from keras_ft.errors import RequestError
from keras_ft.recipe import TrainSection


@keras.saving.register_keras_serializable("keras_ft")
class WarmUpThenDecay(keras.optimizers.schedules.LearningRateSchedule):
    """Rises linearly from 0 over the warm-up, then falls to 0 at the last step in the shape of its name.

    Args:
        peak: the learning rate at the end of the warm-up.
        total_steps: how many steps the run has.
        warmup_steps: how many of them are warm-up.
        shape: `linear`, `cosine`, `polynomial` (quadratic) or `constant` (does not fall).
    """

    def __init__(self, peak: float, total_steps: int, warmup_steps: int, shape: str):
        self.peak, self.total_steps, self.warmup_steps, self.shape = peak, total_steps, warmup_steps, shape

    def __call__(self, step: Any) -> Any:
        """Learning rate at `step`, the first being 0; never exactly 0 at the first step of a warm-up."""
        done = ops.cast(step, "float32")
        rise = (done + 1.0) / float(max(1, self.warmup_steps))
        left = (self.total_steps - done) / float(max(1, self.total_steps - self.warmup_steps))
        left = ops.clip(left, 0.0, 1.0)
        fall = {
            "linear": lambda: left,
            "polynomial": lambda: left * left,
            "cosine": lambda: 0.5 * (1.0 - ops.cos(math.pi * left)),
            "constant": lambda: ops.ones_like(left),
        }[self.shape]()
        return self.peak * ops.where(done < self.warmup_steps, rise, fall)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            "peak": self.peak,
            "total_steps": self.total_steps,
            "warmup_steps": self.warmup_steps,
            "shape": self.shape,
        }


def build_schedule(settings: TrainSection, total_steps: int) -> WarmUpThenDecay:
    """The schedule that the recipe's `train` describes.

    Args:
        settings: the recipe's `train`.
        total_steps: how many steps the run has.

    Raises:
        RequestError: the warm-up is longer than the run.
    """
    warmup = round(settings.warmup * total_steps) if settings.warmup < 1 else int(settings.warmup)
    if warmup > total_steps:
        raise RequestError(f"train.warmup is {warmup} steps; the run has only {total_steps}")
    return WarmUpThenDecay(settings.learning_rate, total_steps, warmup, settings.schedule)
