"""AdamW whose update is one pass over each weight where the backend is TensorFlow.

Keras' own update makes several passes over memory, which for BERT costs as much as a fifth of a training step on a
CPU. The numbers are Keras' to rounding, and so are the variables, so checkpoints fit either.
"""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("keras_ft")
class FusedAdamW(keras.optimizers.AdamW):
    """`keras.optimizers.AdamW` with TensorFlow's fused Adam kernel (arXiv:1412.6980, 1711.05101)."""

    def _apply_weight_decay(self, variables: list[Any]) -> None:
        """On TensorFlow `update_step` decays each weight itself, in one pass less."""
        if keras.backend.backend() != "tensorflow":
            super()._apply_weight_decay(variables)

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Decay and move one variable."""
        if keras.backend.backend() != "tensorflow":
            super().update_step(gradient, variable, learning_rate)
            return
        import tensorflow as tf

        if self.weight_decay is not None and self._use_weight_decay(variable):
            variable.assign_sub(variable * ops.cast(self.weight_decay * learning_rate, variable.dtype))
        index = self._get_variable_index(variable)
        step = ops.cast(self.iterations + 1, "float32")
        tf.raw_ops.ResourceApplyAdam(
            var=_handle(variable),
            m=_handle(self._momentums[index]),
            v=_handle(self._velocities[index]),
            beta1_power=tf.pow(self.beta_1, step),
            beta2_power=tf.pow(self.beta_2, step),
            lr=tf.cast(learning_rate, tf.float32),
            beta1=self.beta_1,
            beta2=self.beta_2,
            epsilon=self.epsilon,
            grad=gradient,
        )


def _handle(variable: Any) -> Any:
    """The resource of a Keras variable, or of the TensorFlow variable under it."""
    return variable.value.handle if isinstance(variable, keras.Variable) else variable.handle
