"""Training with TensorFlow on one device."""

from typing import Any

import numpy as np
import tensorflow as tf

from keras_ft.batch import TokenBatch
from keras_ft.evaluation.evaluate import TFEvalStep
from keras_ft.layers.random import Key
from keras_ft.layers.task_model import TaskModel
from keras_ft.recipe import TrainSection
from keras_ft.tasks.base import Task
from keras_ft.training.optimizer import build_optimizer


class TFEngine:
    """One compiled step over dynamic shapes: whatever the batch's token count, it is traced once.

    Args:
        model: owns the weights.
        task: says what they compute.
        settings: the recipe's `train`.
    """

    def __init__(self, model: TaskModel, task: Task, settings: TrainSection):
        self.model = model
        self.task = task
        self.settings = settings
        self.optimizer: Any = None
        # A fixed order of summation, so that a resumed run is the same run bit for bit.
        tf.config.experimental.enable_op_determinism()
        self._train = tf.function(self._train_step, autograph=False, reduce_retracing=True)
        self.recompile_eval_step()

    def prepare(self, total_steps: int) -> None:
        """Build the optimizer."""
        self.optimizer = build_optimizer(self.settings, self.model.trainable_variables, total_steps)

    def train_step(self, batch: dict[str, tf.Tensor], step: int) -> dict[str, float]:
        """Learn from one batch; see `Engine.train_step`."""
        learning_rate = float(self.optimizer.learning_rate)
        loss, norm = self._train(batch, tf.constant(step, tf.int32))
        return {"loss": float(loss), "gradient_norm": float(norm), "learning_rate": learning_rate}

    def recompile_eval_step(self) -> None:
        """See `Engine.recompile_eval_step`."""
        self.eval_step = TFEvalStep(self.model, self.task, self.settings.precision)

    def state(self) -> dict[str, np.ndarray]:
        """Weights and optimizer variables by name."""
        return {name: np.asarray(variable) for name, variable in self._variables().items()}

    def load_state(self, state: dict[str, np.ndarray]) -> None:
        """Assign what `state` gave."""
        with_optimizer = any(name.startswith("optimizer/") for name in state)
        for name, variable in self._variables().items():
            if with_optimizer or name.startswith("model/"):
                variable.assign(state[name])

    def _variables(self) -> dict[str, Any]:
        # The optimizer's own paths begin with a name that Keras numbers anew for every optimizer of a process.
        named = {f"model/{v.path}": v for v in self.model.variables}
        return named | {f"optimizer/{i:04d}/{v.name}": v for i, v in enumerate(self.optimizer.variables)}

    def _train_step(self, tensors: dict[str, tf.Tensor], step: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        batch = TokenBatch.from_tensors(tensors)
        key = Key.from_seed(self.settings.seed).fold(step)
        variables = self.model.trainable_variables
        with tf.GradientTape() as tape:
            view = self.model.view(self.settings.precision)
            outputs = self.task.forward(view, batch, self.settings.dropout, key)
            losses, weights = self.task.loss(outputs, batch)
            loss = tf.reduce_sum(losses * weights) / self.task.divisor(batch)
        gradients = tape.gradient(loss, [v.value for v in variables])
        gradients = [tf.convert_to_tensor(g) for g in gradients]  # rows of embeddings, summed where ids repeat
        norm = tf.linalg.global_norm(gradients)
        if self.settings.clip_norm:
            gradients, _ = tf.clip_by_global_norm(gradients, self.settings.clip_norm, use_norm=norm)
        self.optimizer.apply_gradients(zip(gradients, variables, strict=True))
        return loss, norm
