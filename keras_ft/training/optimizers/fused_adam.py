"""Adam and AdamW whose update is one pass over each weight where the backend is TensorFlow.

Keras' own update makes several passes over memory, which for BERT costs as much as a fifth of a training step on a
CPU. The numbers are Keras' to rounding, and so are the variables, so checkpoints fit either.
"""

from typing import Any

import keras
from keras import ops

from keras_ft.training.optimizers.update import PerVariableUpdate


class FusedAdamStep:
    """To be inherited from before `keras.optimizers.Adam`: TensorFlow's fused kernel (arXiv:1412.6980)."""

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Move one variable."""
        if keras.backend.backend() != "tensorflow":
            super().update_step(gradient, variable, learning_rate)  # type: ignore[misc]
            return
        import tensorflow as tf

        adam: Any = self
        index = adam._get_variable_index(variable)
        step = ops.cast(adam.iterations + 1, "float32")
        tf.raw_ops.ResourceApplyAdam(
            var=_handle(variable),
            m=_handle(adam._momentums[index]),
            v=_handle(adam._velocities[index]),
            beta1_power=tf.pow(adam.beta_1, step),
            beta2_power=tf.pow(adam.beta_2, step),
            lr=tf.cast(learning_rate, tf.float32),
            beta1=adam.beta_1,
            beta2=adam.beta_2,
            epsilon=adam.epsilon,
            grad=gradient,
        )


@keras.saving.register_keras_serializable("keras_ft")
class FusedAdam(PerVariableUpdate, FusedAdamStep, keras.optimizers.Adam):
    """`keras.optimizers.Adam` in one pass."""


@keras.saving.register_keras_serializable("keras_ft")
class FusedAdamW(PerVariableUpdate, FusedAdamStep, keras.optimizers.AdamW):
    """`keras.optimizers.AdamW` in one pass and one more for the decay."""


def _handle(variable: Any) -> Any:
    """The resource of a Keras variable, or of the TensorFlow variable under it."""
    return variable.value.handle if isinstance(variable, keras.Variable) else variable.handle
