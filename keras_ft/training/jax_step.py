"""One training step as a pure function of arrays, which JAX compiles for a mesh of devices.

Each replica computes the gradients of its own part of a step, micro-batch by micro-batch; they are summed over the
replicas once, clipped, and applied: the arithmetic of `tf_engine`. The replicas are a leading axis of the batch, which
the compiler divides along the mesh's `data` axis.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import keras
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from keras import ops

from keras_ft.layers.random import Key
from keras_ft.layers.task_model import TaskModel
from keras_ft.recipe import TrainSection
from keras_ft.tasks.base import Task
from keras_ft.training.loss_scale import LARGEST, STEPS_TO_GROWTH
from keras_ft.training.micro_batches import micro_batch

Tensors = dict[str, jax.Array]
Arrays = list[jax.Array]
State = dict[str, Arrays]  # trainable, optimizer, loss_scale: [scale, good steps] or nothing


def over_replicas(compute: Callable[[Any, Any], Any], tensors: Any, count: int) -> Any:
    """What every replica computes, with a leading axis of replicas where there are several.

    Args:
        compute: gets a replica's number and its tensors.
        tensors: of all replicas, with that leading axis too.
        count: how many replicas there are.
    """
    if count == 1:
        return compute(jnp.int32(0), tensors)
    numbers = jnp.arange(count, dtype="int32")
    return jax.vmap(compute, spmd_axis_name="data")(numbers, tensors)


@dataclass(frozen=True, eq=False)  # hashed as itself, as jit wants it
class JaxStep:
    """The step of a run.

    Attributes:
        model: whose variables the state's arrays stand in for.
        task: says what they compute.
        settings: the recipe's `train`.
        optimizer: built for the model's trainable variables.
        mesh: the devices.
        shardings: of the state that the step gives back.
    """

    model: TaskModel
    task: Task
    settings: TrainSection
    optimizer: Any
    mesh: Mesh
    shardings: dict[str, list[NamedSharding]]

    def __call__(self, state: State, frozen: Arrays, tensors: Tensors, step: jax.Array) -> tuple[State, Tensors]:
        """The state after learning from one batch, and `loss`, `gradient_norm`, `learning_rate`.

        Args:
            state: of the weights that learn, and what the optimizer knows.
            frozen: the other weights.
            tensors: a batch, `(replicas, micro-batches, …)`; either axis is left out where it would be 1.
            step: counts from 0.
        """
        loss, gradients = self._gradients(state, frozen, tensors, step)
        if state["loss_scale"]:
            inverse = 1.0 / state["loss_scale"][0]
            gradients = [gradient * inverse for gradient in gradients]
        norm = jnp.sqrt(sum(jnp.sum(jnp.square(gradient)) for gradient in gradients))
        if self.settings.clip_norm:
            factor = self.settings.clip_norm / jnp.maximum(norm, self.settings.clip_norm)
            gradients = [gradient * factor for gradient in gradients]
        logs = {"loss": loss, "gradient_norm": norm, "learning_rate": self._learning_rate(state["optimizer"])}
        return self._updated(state, gradients, norm), logs

    def _gradients(self, state: State, frozen: Arrays, tensors: Tensors, step: jax.Array) -> tuple[jax.Array, Arrays]:
        """Loss and gradients of the whole batch; the divisor is known before the first forward pass."""
        replicas = self.mesh.shape["data"]
        divisor = jnp.sum(over_replicas(self._divisor, tensors, replicas))
        root = Key.from_seed(self.settings.seed).fold(step)

        def of_replica(number: jax.Array, tensors: Tensors) -> tuple[jax.Array, Arrays]:
            return self._of_replica(state, frozen, tensors, root.fold(number), divisor)

        loss, gradients = over_replicas(of_replica, tensors, replicas)
        if replicas > 1:
            loss, gradients = jnp.sum(loss, axis=0), [jnp.sum(gradient, axis=0) for gradient in gradients]
        return loss, self._placed(gradients)

    def _divisor(self, number: jax.Array, tensors: Tensors) -> jax.Array:
        count = self.settings.accumulate
        micro = [micro_batch(tensors, self.task.axes, number, count) for number in range(count)]
        return sum(self.task.divisor(batch) for batch in micro)

    def _of_replica(
        self, state: State, frozen: Arrays, tensors: Tensors, key: Key, divisor: jax.Array
    ) -> tuple[jax.Array, Arrays]:
        """A replica's share of the loss and of its gradients, summed over its micro-batches."""
        count = self.settings.accumulate
        if count == 1:
            return self._of_one(state, frozen, tensors, 0, key, divisor)

        # A loop, not one graph for each: that would hold the activations of all micro-batches at once.
        def add(sums: Any, number: jax.Array) -> tuple[Any, None]:
            more = self._of_one(state, frozen, tensors, number, key, divisor)
            return jax.tree.map(jnp.add, sums, more), None

        zeros = jnp.float32(0.0), self._placed([jnp.zeros_like(weight) for weight in state["trainable"]])
        sums, _ = jax.lax.scan(add, zeros, jnp.arange(count, dtype="int32"))
        return sums

    def _of_one(
        self, state: State, frozen: Arrays, tensors: Tensors, number: Any, key: Key, divisor: jax.Array
    ) -> tuple[jax.Array, Arrays]:
        batch = micro_batch(tensors, self.task.axes, number, self.settings.accumulate)

        def scaled_loss(trainable: Arrays) -> tuple[jax.Array, jax.Array]:
            with self._weights(trainable, frozen):
                view = self.model.view(self.settings.precision, self.settings.activation_checkpointing)
                outputs = self.task.forward(view, batch, self.settings.dropout, key.fold(number))
                losses, weights = self.task.loss(outputs, batch)
            loss = jnp.sum(losses * weights) / divisor
            return loss * state["loss_scale"][0] if state["loss_scale"] else loss, loss

        (_, loss), gradients = jax.value_and_grad(scaled_loss, has_aux=True)(state["trainable"])
        return loss, self._placed(gradients)

    def _weights(self, trainable: Arrays, frozen: Arrays) -> keras.StatelessScope:
        variables = [*self.model.trainable_variables, *self.model.non_trainable_variables]
        return keras.StatelessScope(state_mapping=list(zip(variables, [*trainable, *frozen], strict=True)))

    def _placed(self, gradients: Arrays) -> Arrays:
        """Gradients lie where their weights do."""
        return jax.lax.with_sharding_constraint(gradients, self.shardings["trainable"])

    def _learning_rate(self, optimizer: Arrays) -> jax.Array:
        with keras.StatelessScope(state_mapping=list(zip(self.optimizer.variables, optimizer, strict=True))):
            return ops.convert_to_tensor(self.optimizer.learning_rate)

    def _updated(self, state: State, gradients: Arrays, norm: jax.Array) -> State:
        def apply() -> dict[str, Arrays]:
            trainable, optimizer = self.optimizer.stateless_apply(state["optimizer"], gradients, state["trainable"])
            return {"trainable": trainable, "optimizer": optimizer}

        if not state["loss_scale"]:
            return apply() | {"loss_scale": []}

        def keep() -> dict[str, Arrays]:
            return {"trainable": state["trainable"], "optimizer": state["optimizer"]}

        finite = jnp.isfinite(norm)
        scale, good_steps = state["loss_scale"]
        return jax.lax.cond(finite, apply, keep) | {"loss_scale": _next_scale(scale, good_steps, finite)}


def _next_scale(scale: jax.Array, good_steps: jax.Array, finite: jax.Array) -> Arrays:
    """As `loss_scale.LossScale`: doubled after many finite steps, halved at an overflow."""
    is_due = good_steps + 1 >= STEPS_TO_GROWTH
    grown = jnp.where(is_due, jnp.minimum(2.0 * scale, LARGEST), scale)
    counted = jnp.where(is_due, 0, good_steps + 1)
    return [
        jnp.where(finite, grown, jnp.maximum(0.5 * scale, 1.0)),
        jnp.where(finite, counted, jnp.zeros_like(good_steps)),
    ]


def replicated(mesh: Mesh) -> NamedSharding:
    """Whole on every device."""
    return NamedSharding(mesh, PartitionSpec())


def divided(mesh: Mesh) -> NamedSharding:
    """Where a batch lies: a replica's part with the replica, the leading axis being left out where there is one."""
    return NamedSharding(mesh, PartitionSpec("data") if mesh.shape["data"] > 1 else PartitionSpec())
