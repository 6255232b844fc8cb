"""How a tokenizer takes the texts: whole lengths, unknown tokens, words in pieces."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from keras_ft.data.rows import Rows
from keras_ft.presets.pretrained import Pretrained
from keras_ft.tasks.base import Task
from keras_ft.tasks.encode import Encoder
from keras_ft.tasks.language import LanguageTask
from keras_ft.text.load import Tokenizer
from keras_ft.text.wordpiece import WordPieceTokenizer

UNCUT = 2**30  # tokens
Counter = Callable[[Rows], "Tokens"]
"""Threads may share it."""


@dataclass
class Tokens:
    """What tokenizing some rows gave.

    Attributes:
        lengths: `(rows,)` tokens of all columns and the special tokens round them, nothing cut.
        in_text: `(rows,)` the same without the special tokens.
        unknown: `(rows,)` unknown tokens.
        continuing: tokens of all rows that continue a word.
    """

    lengths: np.ndarray
    in_text: np.ndarray
    unknown: np.ndarray
    continuing: int


def counter_of(kind: type[Task], options: Any, pretrained: Pretrained) -> Counter:
    """What counts the tokens of a task's rows.

    Args:
        kind: the task.
        options: of the task.
        pretrained: its tokenizer.
    """
    if issubclass(kind, LanguageTask):
        return FramedTokenCounter(kind.from_data([], options, pretrained.pooling, UNCUT), pretrained.tokenizer)
    return TokenCounter(pretrained.tokenizer, kind.feature_columns)


class FramedTokenCounter:
    """Counts as the task itself frames the texts; byte pairs know no unknown tokens."""

    def __init__(self, task: Task, tokenizer: Tokenizer):
        self._encoder = Encoder(task, tokenizer)

    def __call__(self, rows: Rows) -> Tokens:
        """Count."""
        lengths = self._encoder(rows)["lengths"].astype(np.int64)
        return Tokens(lengths, lengths, np.zeros_like(lengths), 0)


class TokenCounter:
    """Counts the tokens of [CLS] a [SEP], or of [CLS] a [SEP] b [SEP], or as the vocabulary frames texts."""

    def __init__(self, tokenizer: Tokenizer, columns: tuple[str, ...]):
        self._columns = columns

        @tf.function(autograph=False)
        def tokenize(texts: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            ids = tokenizer.tokenize(texts)
            return ids.flat_values, ids.row_lengths()

        self._tokenize = tokenize.get_concrete_function(tf.TensorSpec([None], tf.string))
        vocabulary = tokenizer.vocabulary
        self._unknown = -1 if vocabulary.unk_id is None else vocabulary.unk_id
        prefix = tokenizer.continuation if isinstance(tokenizer, WordPieceTokenizer) else None  # others know no words
        self._continues = np.array([prefix is not None and token.startswith(prefix) for token in vocabulary.tokens])
        between = vocabulary.between_ids * (len(columns) - 1)
        self._special = len(vocabulary.begin_ids + between + vocabulary.end_ids)

    def __call__(self, rows: Rows) -> Tokens:
        """Count."""
        columns = [rows.columns[name] for name in self._columns]
        in_text = np.zeros(len(columns[0]), np.int64)
        unknown = np.zeros_like(in_text)
        continuing = 0
        for texts in columns:
            ids, lengths = (tensor.numpy() for tensor in self._tokenize(tf.constant(texts, tf.string)))
            row = np.repeat(np.arange(len(texts)), lengths)
            in_text += lengths
            unknown += np.bincount(row[ids == self._unknown], minlength=len(texts))
            continuing += int(np.count_nonzero(self._continues[ids]))
        return Tokens(in_text + self._special, in_text, unknown, continuing)
