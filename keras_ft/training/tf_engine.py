"""Training with TensorFlow under any `tf.distribute` strategy.

Each replica computes the gradients of its own part of a step, micro-batch by micro-batch; they are summed over the
replicas once, clipped, and applied. The sum is that of one device with the whole batch: the divisor of the loss is
known from the batch, before the first forward pass.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import tensorflow as tf

from keras_ft.batch import TokenBatch
from keras_ft.data.arrays import Arrays
from keras_ft.data.pipeline import batches
from keras_ft.data.plans import Layout, evaluation_steps
from keras_ft.data.steps import Step
from keras_ft.evaluation.evaluate import EXAMPLES_AT_ONCE, Answers, Batch, tf_evaluation_step, without_indices
from keras_ft.layers.random import Key
from keras_ft.layers.task_model import TaskModel
from keras_ft.recipe import TrainSection
from keras_ft.tasks.base import Task
from keras_ft.training.loss_scale import LossScale
from keras_ft.training.micro_batches import micro_batch
from keras_ft.training.optimizers.averages import averaged_weights
from keras_ft.training.optimizers.build import build_optimizer
from keras_ft.training.state_names import check_fits, named_state
from keras_ft.training.strategy import own_replicas

Tensors = dict[str, tf.Tensor]


class TFEngine:
    """One compiled step over dynamic shapes: whatever the batch's token count, it is traced once.

    Args:
        model: owns the weights; made within the strategy's scope.
        task: says what they compute.
        settings: the recipe's `train`.
        strategy: the devices; by default one.
        layout: of the batches.
    """

    def __init__(
        self,
        model: TaskModel,
        task: Task,
        settings: TrainSection,
        strategy: tf.distribute.Strategy | None = None,
        layout: Layout = "ragged",
    ):
        self.model = model
        self.task = task
        self.settings = settings
        self.strategy = strategy or tf.distribute.get_strategy()
        self.layout = layout
        self.num_replicas = self.strategy.num_replicas_in_sync
        self._own_replicas = own_replicas(self.strategy)
        self.num_processes = self.num_replicas // len(self._own_replicas)
        self.most_shapes = 1 if isinstance(self.strategy, tf.distribute.TPUStrategy) else 3
        self.optimizer: Any = None
        self.loss_scale: LossScale | None = None
        # A fixed order of summation, so that a resumed run is the same run bit for bit.
        tf.config.experimental.enable_op_determinism()
        self._train = self._compiled(self._train_step)
        self.recompile_evaluation()

    def prepare(self, total_steps: int) -> None:
        """Build the optimizer."""
        with self.strategy.scope():
            self.optimizer = build_optimizer(self.settings, self.model, total_steps)
            if self.settings.precision == "float16":
                self.loss_scale = LossScale()

    def batches(self, arrays: Arrays, steps: Sequence[Step], start: int) -> Iterator[Any]:
        """See `Engine.batches`."""
        for parts in self._parts(batches(arrays, steps, start, self._own_replicas, self.settings.accumulate)):
            yield [without_indices(part) for part in parts]

    def train_step(self, batch: list[Tensors], step: int, wishes: int = 0) -> dict[str, float]:
        """See `Engine.train_step`; the batch is a part for each replica of this process."""
        logs = self._train(batch, tf.constant(step, tf.int32), tf.constant(float(wishes)))
        return {name: float(value) for name, value in logs.items()}

    def evaluated(self, arrays: Arrays, batch_size: int = EXAMPLES_AT_ONCE) -> Iterator[Batch]:
        """See `Evaluator.evaluated`; with several processes, each evaluates the whole."""
        local = range(len(self._own_replicas))
        steps = evaluation_steps(self.layout, arrays.lengths, batch_size, len(local), self.task.tokens_at_once)
        for parts in self._parts(batches(arrays, steps, replicas=local)):
            found = self._evaluate([without_indices(part) for part in parts])
            yield from (self._answers(part, *said) for part, said in zip(parts, found, strict=True))

    def averaged_weights(self) -> AbstractContextManager[None]:
        """See `Engine.averaged_weights`."""
        return averaged_weights(self.model.trainable_variables, self.optimizer.averages())

    def recompile_evaluation(self) -> None:
        """See `Engine.recompile_evaluation`."""
        self._answers = Answers(self.task)
        step = tf_evaluation_step(self.model, self.task, self.settings.precision)
        self._evaluate = self._compiled(
            lambda parts: self._local(self.strategy.run(step, args=(self._per_replica(parts),)))
        )

    def state(self) -> dict[str, np.ndarray]:
        """Weights, optimizer variables and loss scale by name."""
        return {name: np.array(variable) for name, variable in self._variables().items()}

    def load_state(self, state: dict[str, np.ndarray]) -> None:
        """Assign what `state` gave."""
        variables = self._variables()
        check_fits(state, variables)
        for name, variable in variables.items():
            if name in state:
                variable.assign(state[name])

    def _variables(self) -> dict[str, Any]:
        return named_state(self.model, self.optimizer, self.loss_scale.variables if self.loss_scale else {})

    def _compiled(self, step: Callable[..., Any]) -> Callable[..., Any]:
        """The step, traced once for all ragged shapes, and once for each of the few shapes of rows.

        A trace for the shapes of the first batch would round otherwise than the one for all, and a resumed run has
        another first batch.
        """
        compiled = tf.function(step, autograph=False)
        if self.layout == "rows":
            return compiled
        traces: list[Any] = []

        def traced(parts: Sequence[Tensors], *others: tf.Tensor) -> Any:
            if not traces:
                of_any_length = tf.nest.map_structure(lambda t: tf.TensorSpec([None, *t.shape[1:]], t.dtype), parts)
                traces.append(compiled.get_concrete_function(of_any_length, *map(tf.TensorSpec.from_tensor, others)))
            return compiled(parts, *others)

        return traced

    def _parts(self, dataset: tf.data.Dataset) -> Iterator[tuple[Tensors, ...]]:
        """For each step the parts of this process.

        A distributed dataset would ask all processes at every step whether they have another one.
        """
        return zip(*[iter(dataset)] * len(self._own_replicas), strict=True)

    def _per_replica(self, parts: Sequence[Tensors]) -> Any:
        """One value that is another part on each replica.

        It is made where the step is traced: the replicas' shapes would be part of its type.
        """
        if len(parts) == 1:
            return parts[0]
        own = iter(parts)
        return self.strategy.experimental_distribute_values_from_function(lambda context: next(own))

    def _local(self, values: Any) -> list[Any]:
        """The values of each replica of this process."""
        return [
            tf.nest.map_structure(lambda value, i=i: self.strategy.experimental_local_results(value)[i], values)
            for i in range(len(self._own_replicas))
        ]

    def _train_step(self, parts: list[Tensors], step: tf.Tensor, wishes: tf.Tensor) -> Tensors:
        return self._local(self.strategy.run(self._replica_step, args=(self._per_replica(parts), step, wishes)))[0]

    def _replica_step(self, tensors: Tensors, step: tf.Tensor, wishes: tf.Tensor) -> Tensors:
        learning_rate = tf.convert_to_tensor(self.optimizer.learning_rate)
        context = tf.distribute.get_replica_context()
        loss, gradients = self._gradients(tensors, step, context)
        if self.num_replicas > 1:
            wishes = tf.identity(wishes)  # what comes from outside lies on no replica's device
            *gradients, loss, wishes = context.all_reduce(tf.distribute.ReduceOp.SUM, [*gradients, loss, wishes])
        if self.loss_scale:
            gradients = self.loss_scale.unscaled(gradients)
        norm = tf.linalg.global_norm(gradients)
        if self.settings.clip_norm:
            gradients, _ = tf.clip_by_global_norm(gradients, self.settings.clip_norm, use_norm=norm)
        self._apply(gradients, norm, context)
        return {"loss": loss, "gradient_norm": norm, "learning_rate": learning_rate, "wishes": wishes}

    def _gradients(
        self, tensors: Tensors, step: tf.Tensor, context: tf.distribute.ReplicaContext
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """This replica's share of the loss and of its gradients, summed over its micro-batches."""
        count = self.settings.accumulate
        key = Key.from_seed(self.settings.seed).fold(step).fold(context.replica_id_in_sync_group)
        micro = [micro_batch(tensors, self.task.axes, number, count) for number in range(count)]
        divisor = tf.reduce_sum(tf.stack([self.task.divisor(batch) for batch in micro]))
        if self.num_replicas > 1:
            divisor = context.all_reduce(tf.distribute.ReduceOp.SUM, divisor)
        if count == 1:
            return self._of_one(micro[0], key.fold(0), divisor)

        # A loop, not one graph for each: that would hold the activations of all micro-batches at once.
        def body(number: tf.Tensor, loss: tf.Tensor, *sums: tf.Tensor) -> tuple:
            batch = micro_batch(tensors, self.task.axes, number, count)
            more, gradients = self._of_one(batch, key.fold(number), divisor)
            return number + 1, loss + more, *(a + b for a, b in zip(sums, gradients, strict=True))

        zeros = [tf.zeros(v.shape, v.dtype) for v in self.model.trainable_variables]
        _, loss, *gradients = tf.while_loop(
            lambda number, *_: number < count, body, (0, 0.0, *zeros), parallel_iterations=1, maximum_iterations=count
        )
        return loss, gradients

    def _of_one(self, batch: TokenBatch, key: Key, divisor: tf.Tensor) -> tuple[tf.Tensor, list[tf.Tensor]]:
        variables = [v.value for v in self.model.trainable_variables]
        with tf.GradientTape() as tape:
            view = self.model.view(self.settings.precision, self.settings.activation_checkpointing)
            outputs = self.task.forward(view, batch, self.settings.dropout, key)
            losses, weights = self.task.loss(outputs, batch)
            loss = tf.reduce_sum(losses * weights) / divisor
            scaled = self.loss_scale.scaled(loss) if self.loss_scale else loss
        gradients = tape.gradient(scaled, variables)
        return loss, [tf.convert_to_tensor(g) for g in gradients]  # rows of embeddings, summed where ids repeat

    def _apply(self, gradients: list[tf.Tensor], norm: tf.Tensor, context: tf.distribute.ReplicaContext) -> None:
        variables = self.model.trainable_variables

        def apply() -> None:
            self.optimizer.apply_gradients(zip(gradients, variables, strict=True))

        if self.loss_scale:
            self.loss_scale.apply_if_finite(apply, norm, context)
        else:
            apply()
