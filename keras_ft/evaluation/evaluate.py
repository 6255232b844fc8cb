"""A model's metrics over arrays, by the same `answer` that an export serves."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from keras_ft.batch import TokenBatch
from keras_ft.data.arrays import TokenArrays
from keras_ft.data.pipeline import batches
from keras_ft.data.plan import evaluation_plan
from keras_ft.layers.task_model import TaskModel
from keras_ft.tasks.base import Task

EXAMPLES_AT_ONCE = 64
# What calibration holds in memory, about 14 times its logits; more would not make a temperature better.
CALIBRATION_EXAMPLES = 20_000
CALIBRATION_LOGITS = 20_000_000
FEWEST_CALIBRATION_EXAMPLES = 1_000


@dataclass(frozen=True)
class Evaluated:
    """What a model says to one batch, on the host.

    Attributes:
        answers: the task's, `(examples, …)` by name.
        outputs: what the task's `forward` gave, by name.
        losses: `(items,)`, the task's `evaluation_loss` without weights.
        weights: `(items,)`.
    """

    answers: dict[str, np.ndarray]
    outputs: dict[str, np.ndarray]
    losses: np.ndarray
    weights: np.ndarray


EvalStep = Callable[[Any], Evaluated]
Batch = tuple[dict[str, np.ndarray], Evaluated]


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
    return measure(task, evaluated(eval_step, arrays, batch_size))


def measure(task: Task, found_batches: Iterable[Batch]) -> dict[str, float]:
    """`loss` and the task's metrics over what `evaluated` yields."""
    metrics = task.metrics()
    total = weight = 0.0
    for tensors, found in found_batches:
        metrics.update(found.answers, {name: tensors[name] for name in task.axes})
        total += float(np.sum(found.losses * found.weights, dtype=np.float64))
        weight += float(np.sum(found.weights, dtype=np.float64))
    return {"loss": total / max(weight, 1e-9), **metrics.result()}


def evaluated(eval_step: EvalStep, arrays: TokenArrays, batch_size: int = EXAMPLES_AT_ONCE) -> Iterator[Batch]:
    """Every batch of the arrays and what the model says to it.

    Yields:
        The batch as `TokenArrays.gather` gives it with `rows` `(examples,)`, the examples' indices in `arrays` (long
        ones come first), and the answers.
    """
    for tensors in batches(arrays, evaluation_plan(arrays.lengths, batch_size=batch_size)):
        found = eval_step({name: tensor for name, tensor in tensors.items() if name != "rows"})
        yield {name: tensor.numpy() for name, tensor in tensors.items()}, found


def calibrate(eval_step: EvalStep, task: Task, arrays: TokenArrays, tell: Callable[[str], None]) -> dict[str, float]:
    """Let the task learn from what the trained model says to validation, or an even part of it; see `Task.calibrate`.

    Args:
        eval_step: an engine's; it answers as before until it is compiled anew.
        task: is changed.
        arrays: of the validation set; of a large one as much is taken as fits into memory.
        tell: is given a line for the user.
    """
    arrays = _calibration_examples(arrays, task.num_outputs, tell)
    outputs: dict[str, list[np.ndarray]] = {}
    targets: dict[str, list[np.ndarray]] = {name: [] for name in task.axes}
    for tensors, found in evaluated(eval_step, arrays):
        for name, values in found.outputs.items():
            outputs.setdefault(name, []).append(values)
        for name in task.axes:
            targets[name].append(tensors[name])
    return task.calibrate(_joined(outputs), _joined(targets), tell)


def _calibration_examples(arrays: TokenArrays, num_outputs: int, tell: Callable[[str], None]) -> TokenArrays:
    count = arrays.num_examples
    taken = min(CALIBRATION_EXAMPLES, max(FEWEST_CALIBRATION_EXAMPLES, CALIBRATION_LOGITS // num_outputs))
    if count <= taken:
        return arrays
    tell(f"Calibrating on {taken:,} of the {count:,} validation examples, evenly spread")
    return arrays.select(arrays.rows[np.arange(taken) * count // taken])


def _joined(batches_by_name: dict[str, list[np.ndarray]]) -> dict[str, np.ndarray]:
    return {name: np.concatenate(values) for name, values in batches_by_name.items()}


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

    def __call__(self, batch: dict[str, tf.Tensor]) -> Evaluated:
        """The task's answers for a batch, the outputs they were made from, and the losses."""
        return Evaluated(*tf.nest.map_structure(lambda tensor: tensor.numpy(), self._compiled(batch)))

    def _step(self, tensors: dict[str, tf.Tensor]) -> tuple:
        batch = TokenBatch.from_tensors(tensors)
        outputs = self.task.forward(self.model.view(self.dtype), batch)
        losses, weights = self.task.evaluation_loss(outputs, batch)
        return self.task.answer(outputs), outputs, losses, weights
