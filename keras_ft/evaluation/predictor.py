"""Strings in, answers out in Python: the functions that training used, traced as one graph."""

import re
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import tensorflow as tf

from keras_ft.batch import TokenBatch
from keras_ft.errors import RequestError
from keras_ft.layers.task_model import ModelView, map_tensors
from keras_ft.tasks.answering import AnsweringTask
from keras_ft.tasks.encode import tensors
from keras_ft.tasks.language import LanguageTask
from keras_ft.tasks.model import TrainedModel
from keras_ft.tasks.writing import TextWriter, asked_specs, for_writing, request_specs
from keras_ft.text.load import Tokenizer

Answers = dict[str, Any]


def answer_texts(
    task: AnsweringTask, tokenizer: Tokenizer, view: ModelView, columns: dict[str, tf.Tensor], top_k: int | None
) -> dict[str, tf.Tensor]:
    """The whole way of a request: `features` → `forward` → `answer`. An export's signatures are this function.

    Args:
        task: what is asked.
        tokenizer: as in training.
        view: the weights, as tensors or as an export's variables.
        columns: `(examples,)` strings by the task's column name, or the inputs of a further signature.
        top_k: see `AnsweringTask.answer`.

    Returns:
        The task's answers, and `truncated` `(examples,)` bool; all with leading dimension = examples.
    """
    sequences = task.features(tokenizer, columns)
    batch = TokenBatch.from_lengths(
        sequences.ids.flat_values,
        sequences.ids.row_lengths(),
        sequences.segments.flat_values,
        sequences.counts,
        sequences.window_start,
        sequences.features,
    )
    answers = task.answer(task.kept(task.forward(view, batch), batch), batch, columns, top_k)
    return {**answers, "truncated": sequences.truncated}


class Predictor:
    """A trained model that takes strings.

    Args:
        trained: from `load_model`.
        dtype: compute type.
        top_k: see `AnsweringTask.answer`; nothing to a task that writes.
        asks: whether calls give settings of generation too.
        signature: the name of one of `AnsweringTask.other_requests`; None for requests by text column.
    """

    def __init__(
        self,
        trained: TrainedModel,
        dtype: str = "float32",
        top_k: int | None = None,
        asks: bool = False,
        signature: str | None = None,
    ):
        task = trained.task
        self.specs = request_specs(task.text_columns, task.list_columns)
        if signature is not None:
            assert isinstance(task, AnsweringTask)
            self.specs = task.other_requests()[signature]
        specs = [self.specs, *([asked_specs()] if asks else [])]
        self._answer = tf.function(self._answering(trained, dtype, top_k), input_signature=specs, autograph=False)

    def _answering(self, trained: TrainedModel, dtype: str, top_k: int | None) -> Callable[..., Any]:
        task, tokenizer = trained.task, trained.pretrained.tokenizer
        if isinstance(task, LanguageTask):
            # Laid out once, not at every call.
            view = map_tensors(for_writing(trained.model.view(dtype)), lambda _, tensor: tf.Variable(tensor))
            return partial(TextWriter(task, tokenizer), view)
        assert isinstance(task, AnsweringTask)
        return lambda columns: answer_texts(task, tokenizer, trained.model.view(dtype), columns, top_k)

    def __call__(self, columns: dict[str, list], asked: dict[str, np.ndarray] | None = None) -> dict[str, np.ndarray]:
        """Answers for lists of strings, of lists of strings, or of numbers; arrays with leading dimension = examples.

        Args:
            columns: by the task's text column, or by the inputs of the signature.
            asked: with `asks`: settings by the names of `ASKED`, `(examples,)`.

        Raises:
            RequestError: a setting is out of its range.
        """
        given = tensors(self.specs, columns)
        try:
            answers = self._answer(given, *([] if asked is None else [asked]))
        except tf.errors.InvalidArgumentError as error:
            raise RequestError(_assertion(error)) from None
        return {name: tensor.numpy() for name, tensor in answers.items()}


def _assertion(error: tf.errors.InvalidArgumentError) -> str:
    found = re.search(r"assertion failed: \[(.*?)\] \[(.*?)\]", error.message)
    return f"{found[1]} {found[2]}" if found else error.message.splitlines()[0]


def to_records(answers: dict[str, np.ndarray]) -> list[Answers]:
    """Arrays by name → one JSON-able dict an example; bytes become strings."""

    def plain(value: Any) -> Any:
        if isinstance(value, np.ndarray):
            return [plain(item) for item in value]
        if isinstance(value, bytes):
            return value.decode("utf-8", "replace")
        return value.item() if isinstance(value, np.generic) else value

    count = len(next(iter(answers.values())))
    return [{name: plain(values[i]) for name, values in answers.items()} for i in range(count)]
