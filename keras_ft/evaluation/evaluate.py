"""A model's metrics over arrays, by the same `answer` that an export serves."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import tensorflow as tf

from keras_ft.batch import TokenBatch
from keras_ft.batch_fields import FIELDS
from keras_ft.data.arrays import Arrays, TokenArrays
from keras_ft.data.pipeline import batches
from keras_ft.data.plans import evaluation_steps
from keras_ft.evaluation.real_part import real_part
from keras_ft.layers.task_model import TaskModel
from keras_ft.tasks.answering import AnsweringTask
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
        answers: the task's, `(examples, …)` by name; none of a task that has no `answer`.
        outputs: what the task keeps of them along examples, by name, as long.
        losses: `(examples,)`, the task's `evaluation_loss` without weights.
        weights: `(examples,)`.
    """

    answers: dict[str, np.ndarray]
    outputs: dict[str, np.ndarray]
    losses: np.ndarray
    weights: np.ndarray


Batch = tuple[dict[str, np.ndarray], Evaluated]


class Evaluator(Protocol):
    """A model that answers: an engine's, or `TFEvaluator`."""

    def evaluated(self, arrays: Arrays, batch_size: int = EXAMPLES_AT_ONCE) -> Iterator[Batch]:
        """Every batch of the arrays and what the model says to it.

        Args:
            arrays: tokenized examples with their targets.
            batch_size: examples at once; what is said does not depend on it.

        Yields:
            `indices` `(examples,)`, which examples of `arrays` these are, in any order, with the features of those
            along the axis of examples; and the answers, as long.
        """


def evaluate(evaluator: Evaluator, task: Task, arrays: Arrays, batch_size: int = EXAMPLES_AT_ONCE) -> dict[str, float]:
    """`loss` and the task's metrics over every example; see `Evaluator.evaluated`."""
    return measure(task, arrays, evaluator.evaluated(arrays, batch_size))


def targets_of(task: Task, arrays: Arrays, tensors: dict[str, np.ndarray]) -> dict[str, Any]:
    """The targets along examples of a batch that an evaluator yields, and the texts kept with them."""
    of_examples = {name: tensors[name] for name, axis in task.axes.items() if axis == "example"}
    return of_examples | arrays.texts(tensors["indices"])


def measure(task: Task, arrays: Arrays, found_batches: Iterable[Batch]) -> dict[str, float]:
    """`loss` and the task's metrics over what an evaluator yields for arrays."""
    metrics = task.metrics()
    total = weight = 0.0
    for tensors, found in found_batches:
        metrics.update(found.outputs | found.answers, targets_of(task, arrays, tensors))
        total += float(np.sum(found.losses * found.weights, dtype=np.float64))
        weight += float(np.sum(found.weights, dtype=np.float64))
    return {"loss": total / max(weight, 1e-9), **metrics.result()}


def calibrate(evaluator: Evaluator, task: Task, arrays: Arrays, tell: Callable[[str], None]) -> dict[str, float]:
    """Let the task learn from what the trained model says to validation, or an even part of it; see `Task.calibrate`.

    Args:
        evaluator: answers as before until it is compiled anew.
        task: is changed.
        arrays: of the validation set; of a large one as much is taken as fits into memory.
        tell: is given a line for the user.
    """
    assert isinstance(arrays, TokenArrays)
    arrays = _calibration_examples(arrays, task.num_outputs or 1, tell)
    outputs: dict[str, list[np.ndarray]] = {}
    targets: dict[str, list] = {}
    for tensors, found in evaluator.evaluated(arrays):
        for name, values in (found.answers | found.outputs).items():
            outputs.setdefault(name, []).append(values)
        for name, values in targets_of(task, arrays, tensors).items():
            targets.setdefault(name, []).append(values)
    return task.calibrate(_joined(outputs), _joined(targets), tell)


def _calibration_examples(arrays: TokenArrays, num_outputs: int, tell: Callable[[str], None]) -> TokenArrays:
    count = arrays.num_examples
    taken = min(CALIBRATION_EXAMPLES, max(FEWEST_CALIBRATION_EXAMPLES, CALIBRATION_LOGITS // num_outputs))
    if count <= taken:
        return arrays
    tell(f"Calibrating on {taken:,} of the {count:,} validation examples, evenly spread")
    return arrays.select(arrays.rows[np.arange(taken) * count // taken])


def _joined(batches_by_name: dict[str, list]) -> dict[str, np.ndarray]:
    """Those of fixed shape; texts as objects, which take no more than they are long."""
    batches_by_name = {
        name: [np.array(v, object) if isinstance(v, list) else v for v in values]
        for name, values in batches_by_name.items()
    }
    alike = {n: values for n, values in batches_by_name.items() if len({np.shape(v)[1:] for v in values}) == 1}
    return {name: np.concatenate(values) for name, values in alike.items()}


class TFEvaluator:
    """Answers of a model on one device, compiled once whatever the batch's token count.

    Args:
        model: owns the weights.
        task: says what they compute.
        dtype: compute type.
    """

    def __init__(self, model: TaskModel, task: Task, dtype: str):
        self.task = task
        self._answers = Answers(task)
        self._compiled = tf.function(tf_evaluation_step(model, task, dtype), autograph=False, reduce_retracing=True)

    def evaluated(self, arrays: Arrays, batch_size: int = EXAMPLES_AT_ONCE) -> Iterator[Batch]:
        """See `Evaluator.evaluated`."""
        steps = evaluation_steps("ragged", arrays.lengths, batch_size, most_tokens=self.task.tokens_at_once)
        for tensors in batches(arrays, steps):
            yield self._answers(tensors, *self._compiled(without_indices(tensors)))


def tf_evaluation_step(model: TaskModel, task: Task, dtype: str) -> Callable[[dict[str, tf.Tensor]], tuple]:
    """What is compiled to evaluate a part with TensorFlow: tensors → kept outputs, losses, weights."""

    def step(tensors: dict[str, tf.Tensor]) -> tuple:
        batch = TokenBatch.from_tensors(tensors, task.axes)
        outputs = task.forward(model.view(dtype), batch)
        return task.kept(outputs, batch), *task.evaluation_loss(outputs, batch)

    return step


class Answers:
    """Makes of a model's outputs, whichever engine computed them, what an evaluator yields.

    Args:
        task: gives the answers, on the host; compiled as it is now.
    """

    def __init__(self, task: Task):
        self.axes, self.output_axes = task.axes, task.output_axes
        self._answer: Callable[..., Any] = lambda outputs, tensors: {}
        if isinstance(task, AnsweringTask):

            def answer(outputs: dict[str, tf.Tensor], tensors: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
                return task.answer(outputs, _host_batch(tensors), {})

            self._answer = tf.function(answer, autograph=False, reduce_retracing=True)

    def __call__(self, tensors: dict[str, Any], outputs: dict[str, Any], losses: Any, weights: Any) -> Batch:
        """The answers of a part, without the examples that only fill up.

        Args:
            tensors: of the part, with `indices`.
            outputs: of the same part, along the task's `output_axes`.
            losses, weights: of the same examples.
        """
        real = np.asarray(tensors["indices"]) >= 0
        tensors, outputs = real_part(tensors, self.axes, outputs, self.output_axes)
        with tf.device("CPU"):
            answers = {name: tensor.numpy() for name, tensor in self._answer(outputs, without_indices(tensors)).items()}
        of_examples = {n: values for n, values in outputs.items() if self.output_axes.get(n, "example") == "example"}
        found = Evaluated(answers, of_examples, np.asarray(losses)[real], np.asarray(weights)[real])
        kept = [name for name, axis in self.axes.items() if axis == "example"]
        return {name: tensors[name] for name in ("indices", *kept)}, found


def _host_batch(tensors: dict[str, tf.Tensor]) -> TokenBatch:
    """A ragged batch made by TensorFlow alone: the backend that computed the outputs may be another."""
    named = {name: tensors[name] for name in FIELDS}
    return TokenBatch(
        **named,
        num_sequences=tf.shape(named["first_token"])[0],
        num_examples=tf.shape(named["example_weights"])[0],
        longest=tf.reduce_max(tf.concat([named["positions"], [-1]], axis=0)) + 1,
        features={name: tensor for name, tensor in tensors.items() if name not in named},
    )


def without_indices(tensors: dict[str, Any]) -> dict[str, Any]:
    """What of a part's tensors a model computes with."""
    return {name: tensor for name, tensor in tensors.items() if name != "indices"}
