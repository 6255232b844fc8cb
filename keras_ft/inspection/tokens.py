"""How a tokenizer takes the texts: whole lengths, unknown tokens, words in pieces."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from keras_ft.data.rows import Rows
from keras_ft.presets.pretrained import Pretrained
from keras_ft.tasks.base import Task
from keras_ft.tasks.encode import Encoder
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
    framing = kind.framing(options, UNCUT)
    if framing is not None:
        return FramedTokenCounter(framing, pretrained.tokenizer)
    return TokenCounter(pretrained.tokenizer, kind.feature_columns)


class _Kinds(NamedTuple):
    """The id of the unknown token, and which ids continue a word, `(ids,)` bool."""

    unknown: int
    continues: np.ndarray


def _kinds_of(tokenizer: Tokenizer) -> _Kinds:
    vocabulary = tokenizer.vocabulary
    prefix = tokenizer.continuation if isinstance(tokenizer, WordPieceTokenizer) else None  # others know no words
    continues = [prefix is not None and token.startswith(prefix) for token in vocabulary.tokens]
    return _Kinds(-1 if vocabulary.unk_id is None else vocabulary.unk_id, np.array(continues))


class FramedTokenCounter:
    """Counts as the task itself frames the texts; byte pairs know no unknown tokens."""

    def __init__(self, task: Task, tokenizer: Tokenizer):
        self._encoder, self._special = Encoder(task, tokenizer), task.num_special
        self._kinds = _kinds_of(tokenizer) if isinstance(tokenizer, WordPieceTokenizer) else None

    def __call__(self, rows: Rows) -> Tokens:
        """Count."""
        found = self._encoder.framed(rows)
        lengths = found["lengths"].astype(np.int64)
        if self._kinds is None:
            return Tokens(lengths, lengths, np.zeros_like(lengths), 0)
        row = np.repeat(np.arange(len(lengths)), lengths)
        unknown = np.bincount(row[found["ids"] == self._kinds.unknown], minlength=len(lengths))
        continuing = int(np.count_nonzero(self._kinds.continues[found["ids"]]))
        return Tokens(lengths, lengths - self._special, unknown, continuing)


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
        self._kinds = _kinds_of(tokenizer)
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
            unknown += np.bincount(row[ids == self._kinds.unknown], minlength=len(texts))
            continuing += int(np.count_nonzero(self._kinds.continues[ids]))
        return Tokens(in_text + self._special, in_text, unknown, continuing)
