"""Strings in, answers out in Python: the functions that training used, traced as one graph."""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from keras_ft.batch import TokenBatch
from keras_ft.layers.task_model import ModelView
from keras_ft.tasks.base import AnsweringTask, Task
from keras_ft.tasks.model import TrainedModel
from keras_ft.text.wordpiece import WordPieceTokenizer

Answers = dict[str, Any]


def answer_texts(
    task: Task, tokenizer: WordPieceTokenizer, view: ModelView, columns: dict[str, tf.Tensor], top_k: int | None
) -> dict[str, tf.Tensor]:
    """The whole way of a request: `features` → `forward` → `answer`. An export's signatures are this function.

    Args:
        task: what is asked.
        tokenizer: as in training.
        view: the weights, as tensors or as an export's variables.
        columns: `(examples,)` strings by the task's column name.
        top_k: see `Task.answer`.

    Returns:
        The task's answers, and `truncated` `(examples,)` bool; all with leading dimension = examples.
    """
    sequences = task.features(tokenizer, columns)
    batch = TokenBatch.from_lengths(
        sequences.ids.flat_values, sequences.ids.row_lengths(), sequences.segments.flat_values
    )
    assert isinstance(task, AnsweringTask)
    answers = task.answer(task.forward(view, batch), top_k)
    return {**answers, "truncated": sequences.truncated}


class Predictor:
    """A trained model that takes strings.

    Args:
        trained: from `load_model`.
        dtype: compute type.
        top_k: see `Task.answer`.
    """

    def __init__(self, trained: TrainedModel, dtype: str = "float32", top_k: int | None = None):
        task, tokenizer, model = trained.task, trained.pretrained.tokenizer, trained.model
        self.columns = task.text_columns
        signature = [{name: tf.TensorSpec([None], tf.string) for name in self.columns}]
        self._answer: Callable[..., Any] = tf.function(
            lambda columns: answer_texts(task, tokenizer, model.view(dtype), columns, top_k),
            input_signature=signature,
            autograph=False,
        )

    def __call__(self, columns: dict[str, list[str]]) -> dict[str, np.ndarray]:
        """Answers for lists of strings by column, as arrays with leading dimension = examples."""
        answers = self._answer({name: tf.constant(columns[name], tf.string) for name in self.columns})
        return {name: tensor.numpy() for name, tensor in answers.items()}


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
