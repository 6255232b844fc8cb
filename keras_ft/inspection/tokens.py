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
    assert isinstance(pretrained.tokenizer, WordPieceTokenizer)
    return TokenCounter(pretrained.tokenizer, kind.feature_columns, apart=kind.texts_apart)


class FramedTokenCounter:
    """Counts as the task itself frames the texts; byte pairs know no unknown tokens."""

    def __init__(self, task: Task, tokenizer: Tokenizer):
        self._encoder = Encoder(task, tokenizer)

    def __call__(self, rows: Rows) -> Tokens:
        """Count."""
        lengths = self._encoder(rows)["lengths"].astype(np.int64)
        return Tokens(lengths, lengths, np.zeros_like(lengths), 0)


class TokenCounter:
    """Counts the tokens of [CLS] a [SEP], or of [CLS] a [SEP] b [SEP].

    Args:
        tokenizer: of the backbone.
        columns: of the texts; a row may lack some.
        apart: whether each text is a sequence of its own; the longest then is what a row's length is.
    """

    def __init__(self, tokenizer: WordPieceTokenizer, columns: tuple[str, ...], apart: bool = False):
        self._columns, self._apart = columns, apart

        @tf.function(autograph=False)
        def tokenize(texts: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            ids = tokenizer.tokenize(texts)
            return ids.flat_values, ids.row_lengths()

        self._tokenize = tokenize.get_concrete_function(tf.TensorSpec([None], tf.string))
        self._unknown = tokenizer.vocabulary.unk_id
        self._continues = np.array([token.startswith(tokenizer.continuation) for token in tokenizer.vocabulary.tokens])

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
            unknown += np.bincount(row[ids == self._unknown], minlength=len(texts))
            continuing += int(np.count_nonzero(self._continues[ids]))
        whole = longest + 2 if self._apart else in_text + 1 + num_texts  # [CLS] a [SEP] b [SEP]
        return Tokens(whole, in_text, unknown, continuing)
