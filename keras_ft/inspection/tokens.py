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
    return TokenCounter(pretrained.tokenizer, kind.feature_columns, apart=kind.texts_apart)


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
    """Counts the tokens of [CLS] a [SEP], or of [CLS] a [SEP] b [SEP], or as the vocabulary frames texts.

    Args:
        tokenizer: of the backbone.
        columns: of the texts; a row may lack some.
        apart: whether each text is a sequence of its own; the longest then is what a row's length is.
    """

    def __init__(self, tokenizer: Tokenizer, columns: tuple[str, ...], apart: bool = False):
        self._columns, self._apart = columns, apart

        @tf.function(autograph=False)
        def tokenize(texts: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            ids = tokenizer.tokenize(texts)
            return ids.flat_values, ids.row_lengths()

        self._tokenize = tokenize.get_concrete_function(tf.TensorSpec([None], tf.string))
        vocabulary = tokenizer.vocabulary
        self._kinds = _kinds_of(tokenizer)
        self._between = len(vocabulary.between_ids)
        self._frame = len(vocabulary.begin_ids + vocabulary.end_ids)

    def __call__(self, rows: Rows) -> Tokens:
        """Count."""
        in_text = np.zeros(len(rows), np.int64)
        longest, unknown, num_texts = (np.zeros_like(in_text) for _ in range(3))
        continuing = 0
        for texts in (rows.columns[name] for name in self._columns if name in rows.columns):
            given = [text or "" for text in texts]
            ids, lengths = (tensor.numpy() for tensor in self._tokenize(tf.constant(given, tf.string)))
            row = np.repeat(np.arange(len(texts)), lengths)
            in_text += lengths
            longest = np.maximum(longest, lengths)
            num_texts += [text is not None for text in texts]
            unknown += np.bincount(row[ids == self._kinds.unknown], minlength=len(given))
            continuing += int(np.count_nonzero(self._kinds.continues[ids]))
        framed = self._frame if self._apart else self._frame + self._between * np.maximum(num_texts - 1, 0)
        return Tokens((longest if self._apart else in_text) + framed, in_text, unknown, continuing)
