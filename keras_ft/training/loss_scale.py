"""Dynamic loss scaling: what keeps small gradients from vanishing in float16.

Micikevicius et al. 2018, arXiv:1710.03740, section 3.2.
"""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

FIRST = 2.0**15
LARGEST = 2.0**24
STEPS_TO_GROWTH = 2000


class LossScale:
    """The scale of the loss with TensorFlow.

    It doubles after 2,000 finite steps; at an overflow it is halved and the step is skipped. To be made within the
    strategy's scope.
    """

    def __init__(self) -> None:
        shared = {"trainable": False, "aggregation": tf.VariableAggregation.ONLY_FIRST_REPLICA}
        self._scale = tf.Variable(FIRST, name="loss_scale", **shared)
        self._good_steps = tf.Variable(0, name="good_steps", **shared)
        self.variables = {"loss_scale/scale": self._scale, "loss_scale/good_steps": self._good_steps}

    def scaled(self, loss: tf.Tensor) -> tf.Tensor:
        """The loss to be differentiated."""
        return loss * self._scale

    def unscaled(self, gradients: list[tf.Tensor]) -> list[tf.Tensor]:
        """The gradients of the loss itself."""
        inverse = 1.0 / self._scale
        return [gradient * inverse for gradient in gradients]

    def apply_if_finite(self, apply: Callable[[], None], norm: tf.Tensor, context: Any) -> None:
        """Update the weights, unless the gradients overflowed, and the scale.

        Args:
            apply: updates the weights of a replica.
            norm: of the gradients, the same on every replica.
            context: of the replica.
        """
        if tf.__internal__.distribute.strategy_supports_no_merge_call():
            self._branch(tf.math.is_finite(norm), apply)
            return

        def across_replicas(strategy: tf.distribute.Strategy, norm: Any) -> None:
            finite = tf.math.is_finite(strategy.experimental_local_results(norm)[0])
            # The branch lies across replicas since an update within one waits for the others, which no branch may.
            self._branch(finite, lambda: strategy.extended.call_for_each_replica(apply))

        context.merge_call(across_replicas, args=(norm,))

    def _branch(self, finite: tf.Tensor, apply: Callable[[], None]) -> None:
        def grow() -> tf.Tensor:
            apply()
            good_steps = self._good_steps + 1
            is_due = good_steps >= STEPS_TO_GROWTH
            self._scale.assign(tf.where(is_due, tf.minimum(2.0 * self._scale, LARGEST), self._scale))
            self._good_steps.assign(tf.where(is_due, 0, good_steps))
            return tf.constant(0)

        def shrink() -> tf.Tensor:
            self._scale.assign(tf.maximum(0.5 * self._scale, 1.0))
            self._good_steps.assign(0)
            return tf.constant(0)

        tf.cond(finite, grow, shrink)
