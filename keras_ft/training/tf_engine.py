"""Training with TensorFlow under any `tf.distribute` strategy.

Each replica computes the gradients of its own part of a step, micro-batch by micro-batch; they are summed over the
replicas once, clipped, and applied. The sum is that of one device with the whole batch: the divisor of the loss is
known from the batch, before the first forward pass.
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import tensorflow as tf

from keras_ft.batch import TokenBatch
from keras_ft.data.arrays import TokenArrays
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
        self._local_replicas = 1 if self.num_replicas == 1 else len(self.strategy.extended.worker_devices)
        self.num_processes = self.num_replicas // self._local_replicas
        self.most_shapes = 1 if isinstance(self.strategy, tf.distribute.TPUStrategy) else 3
        self.optimizer: Any = None
        self.loss_scale: LossScale | None = None
        # A fixed order of summation, so that a resumed run is the same run bit for bit.
        tf.config.experimental.enable_op_determinism()
        self._train = tf.function(self._train_step, autograph=False, reduce_retracing=True)
        self.recompile_evaluation()

    def prepare(self, total_steps: int) -> None:
        """Build the optimizer."""
        with self.strategy.scope():
            self.optimizer = build_optimizer(self.settings, self.model, total_steps)
            if self.settings.precision == "float16":
                self.loss_scale = LossScale()

    def batches(self, arrays: TokenArrays, steps: Sequence[Step], start: int) -> Iterator[Any]:
        """See `Engine.batches`."""

        def own(context: tf.distribute.InputContext) -> tf.data.Dataset:
            local = context.num_replicas_in_sync // context.num_input_pipelines
            first = context.input_pipeline_id * local
            return batches(arrays, steps, start, range(first, first + local), self.settings.accumulate)

        for tensors in self._distributed(own):
            yield without_indices(tensors)

    def train_step(self, batch: Any, step: int, stop: bool = False) -> dict[str, float]:
        """See `Engine.train_step`."""
        logs = self._train(batch, tf.constant(step, tf.int32), tf.constant(float(stop)))
        return {name: float(value) for name, value in logs.items()}

    def evaluated(self, arrays: TokenArrays, batch_size: int = EXAMPLES_AT_ONCE) -> Iterator[Batch]:
        """See `Evaluator.evaluated`; with several processes, each evaluates the whole."""
        local = self._local_replicas
        steps = evaluation_steps(self.layout, arrays.lengths, batch_size, local)
        for tensors in self._distributed(lambda context: batches(arrays, steps, replicas=range(local))):
            found = self._evaluate(without_indices(tensors))
            parts = zip(self._local(tensors), self._local(found), strict=True)
            yield from (self._answers(part, *said) for part, said in parts)

    def averaged_weights(self) -> AbstractContextManager[None]:
        """See `Engine.averaged_weights`."""
        return averaged_weights(self.model.trainable_variables, self.optimizer.averages())

    def recompile_evaluation(self) -> None:
        """See `Engine.recompile_evaluation`."""
        self._answers = Answers(self.task)
        step = tf_evaluation_step(self.model, self.task, self.settings.precision)
        self._evaluate = tf.function(
            lambda tensors: self.strategy.run(step, args=(tensors,)), autograph=False, reduce_retracing=True
        )

    def state(self) -> dict[str, np.ndarray]:
        """Weights, optimizer variables and loss scale by name."""
        return {name: np.array(variable) for name, variable in self._variables().items()}

    def load_state(self, state: dict[str, np.ndarray]) -> None:
        """Assign what `state` gave."""
        for name, variable in self._variables().items():
            if name in state:
                variable.assign(state[name])

    def _variables(self) -> dict[str, Any]:
        # The optimizer's own paths begin with a name that Keras numbers anew for every optimizer of a process.
        named = {f"model/{v.path}": v for v in self.model.variables}
        named |= {f"optimizer/{i:04d}/{v.name}": v for i, v in enumerate(self.optimizer.variables)}
        return named | (self.loss_scale.variables if self.loss_scale else {})

    def _distributed(self, own: Any) -> Any:
        if self.num_replicas == 1:
            return own(tf.distribute.InputContext())
        return self.strategy.distribute_datasets_from_function(own)

    def _local(self, values: Any) -> Any:
        return [
            tf.nest.map_structure(lambda value, i=i: self.strategy.experimental_local_results(value)[i], values)
            for i in range(self._local_replicas)
        ]

    def _train_step(self, tensors: Tensors, step: tf.Tensor, stop: tf.Tensor) -> Tensors:
        return self._local(self.strategy.run(self._replica_step, args=(tensors, step, stop)))[0]

    def _replica_step(self, tensors: Tensors, step: tf.Tensor, stop: tf.Tensor) -> Tensors:
        learning_rate = tf.convert_to_tensor(self.optimizer.learning_rate)
        context = tf.distribute.get_replica_context()
        loss, gradients = self._gradients(tensors, step, context)
        if self.num_replicas > 1:
            *gradients, loss, stop = context.all_reduce(tf.distribute.ReduceOp.SUM, [*gradients, loss, stop])
        if self.loss_scale:
            gradients = self.loss_scale.unscaled(gradients)
        norm = tf.linalg.global_norm(gradients)
        if self.settings.clip_norm:
            gradients, _ = tf.clip_by_global_norm(gradients, self.settings.clip_norm, use_norm=norm)
        self._apply(gradients, norm, context)
        return {"loss": loss, "gradient_norm": norm, "learning_rate": learning_rate, "stop": stop}

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
