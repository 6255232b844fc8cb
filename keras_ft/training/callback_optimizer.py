"""What callbacks find as `model.optimizer`: the engine's optimizer, whose learning rate can be set.

`ReduceLROnPlateau` and `LearningRateScheduler` set the learning rate. That of a run follows a schedule; so what they
set is kept as a factor upon it, in a variable of the optimizer, which checkpoints hold as they hold all others.
"""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("keras_ft")
class AdjustableSchedule(keras.optimizers.schedules.LearningRateSchedule):
    """A schedule times a variable of the optimizer.

    Args:
        schedule: what the recipe asks for.
        factor: a scalar variable; absent, it is 1.
    """

    def __init__(self, schedule: Any, factor: Any = None):
        self.schedule, self.factor = schedule, factor

    def __call__(self, step: Any) -> Any:
        """Learning rate at `step`, the first being 0."""
        rate = self.schedule(step)
        return rate if self.factor is None else rate * ops.cast(self.factor, "float32")

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments; the factor is saved as a variable."""
        return {"schedule": keras.saving.serialize_keras_object(self.schedule)}


def make_adjustable(optimizer: keras.optimizers.Optimizer) -> None:
    """Give a built optimizer that follows a schedule a factor upon it, as its last variable."""
    factor = optimizer.add_variable((), initializer="ones", name="learning_rate_factor")
    optimizer.learning_rate = AdjustableSchedule(optimizer._learning_rate, factor)


class CallbackOptimizer:
    """The optimizer as callbacks see it; it is no Keras optimizer, so that `save_weights` does not save its variables.

    Args:
        optimizer: made adjustable.
    """

    def __init__(self, optimizer: keras.optimizers.Optimizer):
        self._optimizer = optimizer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._optimizer, name)

    @property
    def factor(self) -> float:
        """Upon the schedule."""
        return float(ops.convert_to_numpy(self._optimizer._learning_rate.factor))

    @factor.setter
    def factor(self, factor: float) -> None:
        self._optimizer._learning_rate.factor.assign(factor)

    @property
    def learning_rate(self) -> Any:
        """Of the next step."""
        return self._optimizer.learning_rate

    @learning_rate.setter
    def learning_rate(self, rate: Any) -> None:
        """Make it the next step's; the schedule goes on from there, in proportion."""
        adjustable = self._optimizer._learning_rate
        scheduled = float(ops.convert_to_numpy(adjustable.schedule(self._optimizer.iterations)))
        if scheduled > 0:  # at the end of a schedule that falls to 0 nothing is left to scale
            self.factor = float(ops.convert_to_numpy(rate)) / scheduled
