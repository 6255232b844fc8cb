"""A model's metrics over arrays, by the same `answer` that an export serves."""

from collections.abc import Callable
from typing import Any

import numpy as np

from keras_ft.data.arrays import TokenArrays
from keras_ft.data.pipeline import batches
from keras_ft.data.plan import evaluation_plan
from keras_ft.tasks.base import Task

EvalStep = Callable[[Any], tuple[dict[str, np.ndarray], float, float]]
EXAMPLES_AT_ONCE = 64


def evaluate(
    eval_step: EvalStep, task: Task, arrays: TokenArrays, told: Callable[[int, int], None] | None = None
) -> dict[str, float]:
    """`loss` and the task's metrics over every example.

    Args:
        eval_step: an engine's.
        task: gives the metrics.
        arrays: tokenized examples with their targets.
        told: is called with (examples done, examples in all) after each batch.
    """
    metrics = task.metrics()
    total = weight = 0.0
    done = 0
    for tensors in batches(arrays, evaluation_plan(arrays.lengths, batch_size=EXAMPLES_AT_ONCE)):
        rows = tensors.pop("rows")
        answers, losses, weights = eval_step(tensors)
        metrics.update(answers, {name: tensors[name].numpy() for name in task.axes})
        total, weight, done = total + losses, weight + weights, done + len(rows)
        if told:
            told(done, arrays.num_examples)
    return {"loss": total / max(weight, 1e-9), **metrics.result()}
