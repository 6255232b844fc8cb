"""A model's metrics over arrays, by the same `answer` that an export serves."""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from keras_ft.batch import TokenBatch
from keras_ft.data.arrays import TokenArrays
from keras_ft.data.pipeline import batches
from keras_ft.data.plan import evaluation_plan
from keras_ft.layers.task_model import TaskModel
from keras_ft.tasks.base import Task

EvalStep = Callable[[Any], tuple[dict[str, np.ndarray], float, float]]
EXAMPLES_AT_ONCE = 64


def evaluate(
    eval_step: EvalStep, task: Task, arrays: TokenArrays, batch_size: int = EXAMPLES_AT_ONCE
) -> dict[str, float]:
    """`loss` and the task's metrics over every example.

    Args:
        eval_step: an engine's.
        task: gives the metrics.
        arrays: tokenized examples with their targets.
        batch_size: examples at once; the result does not depend on it.
    """
    metrics = task.metrics()
    total = weight = 0.0
    for tensors in batches(arrays, evaluation_plan(arrays.lengths, batch_size=batch_size)):
        del tensors["rows"]
        answers, losses, weights = eval_step(tensors)
        metrics.update(answers, {name: tensors[name].numpy() for name in task.axes})
        total, weight = total + losses, weight + weights
    return {"loss": total / max(weight, 1e-9), **metrics.result()}


class TFEvalStep:
    """Answers and losses of a batch, compiled once whatever the batch's token count.

    Args:
        model: owns the weights.
        task: says what they compute.
        dtype: compute type.
    """

    def __init__(self, model: TaskModel, task: Task, dtype: str):
        self.model, self.task, self.dtype = model, task, dtype
        self._compiled = tf.function(self._step, autograph=False, reduce_retracing=True)

    def __call__(self, batch: dict[str, tf.Tensor]) -> tuple[dict[str, np.ndarray], float, float]:
        """The task's answers, the sum of the weighted losses, and the sum of the weights."""
        answers, total, weight = self._compiled(batch)
        return {name: tensor.numpy() for name, tensor in answers.items()}, float(total), float(weight)

    def _step(self, tensors: dict[str, tf.Tensor]) -> tuple[dict[str, tf.Tensor], tf.Tensor, tf.Tensor]:
        batch = TokenBatch.from_tensors(tensors)
        outputs = self.task.forward(self.model.view(self.dtype), batch)
        losses, weights = self.task.loss(outputs, batch)
        return self.task.answer(outputs), tf.reduce_sum(losses * weights), self.task.divisor(batch)
