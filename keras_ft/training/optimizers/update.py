"""What our optimizers do to a variable besides their method's own step: its own rate, weight decay, an average."""

from collections.abc import Sequence
from typing import Any

from keras import ops


class PerVariableUpdate:
    """To be inherited from before a Keras optimizer: decay, step and average, one variable after the other.

    All three are part of `update_step`, so that they are the same on every backend and under every
    `tf.distribute` strategy, where Keras hands `update_step` the copy of a variable on each device.

    Gradients are taken as they are: whoever computes them sums them over replicas, and clips them, first.
    """

    _rate_scales: Sequence[float] = ()

    def scale_rates(self, scales: Sequence[float]) -> None:
        """Give every variable a learning rate of its own; weight decay follows it.

        Args:
            scales: what the learning rate is multiplied by, in the order of the variables given to `build`.
        """
        self._rate_scales = tuple(scales)

    def averages(self) -> list[Any]:
        """The moving average of each trainable variable, in their order; empty without `use_ema`.

        They are among `variables`, and so in every checkpoint. Where the state is a list of arrays in the order of
        `variables` (JAX), pair the two lists to find the value of an average.
        """
        return list(self._model_variables_moving_average) if self.use_ema else []  # type: ignore[attr-defined]

    def build(self, variables: list[Any]) -> None:
        """Create the optimizer's variables; averages start from the weights."""
        super().build(variables)  # type: ignore[misc]
        for variable, average in zip(variables, self.averages(), strict=False):
            average.assign(variable)

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Decay, move and average one variable."""
        optimizer: Any = self
        index = optimizer._get_variable_index(variable)
        if self._rate_scales:
            learning_rate = learning_rate * self._rate_scales[index]
        if optimizer.weight_decay and optimizer._use_weight_decay(variable):
            decay = ops.cast(optimizer.weight_decay * learning_rate, variable.dtype)
            optimizer.assign_sub(variable, variable * decay)
        super().update_step(gradient, variable, learning_rate)  # type: ignore[misc]
        if optimizer.use_ema:
            average = optimizer._model_variables_moving_average[index]
            share = ops.where(optimizer.iterations == 0, 1.0, 1.0 - optimizer.ema_momentum)
            optimizer.assign_sub(average, (average - variable) * ops.cast(share, variable.dtype))

    def _apply_weight_decay(self, variables: Any) -> None:
        """Done by `update_step`."""

    def _update_model_variables_moving_average(self, variables: Any) -> None:
        """Done by `update_step`; Keras' own assigns in a replica, which mirrored variables do not allow."""

    def _all_reduce_sum_gradients(self, grads_and_vars: Any) -> Any:
        """Nothing: the gradients are sums over all replicas already."""
        return grads_and_vars
