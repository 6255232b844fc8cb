"""How a tokenizer takes the texts: whole lengths, unknown tokens, words in pieces."""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from keras_ft.text.wordpiece import WordPieceTokenizer


@dataclass
class Tokens:
    """What tokenizing some rows gave.

    Attributes:
        lengths: `(rows,)` tokens of all text columns and the special tokens round them, nothing cut.
        in_text: `(rows,)` the same without the special tokens.
        unknown: `(rows,)` unknown tokens.
        continuing: tokens of all rows that continue a word.
    """

    lengths: np.ndarray
    in_text: np.ndarray
    unknown: np.ndarray
    continuing: int


class TokenCounter:
    """Lists of texts, one a column → their `Tokens`; threads may share it."""

    def __init__(self, tokenizer: WordPieceTokenizer):
        @tf.function(autograph=False)
        def tokenize(texts: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            ids = tokenizer.tokenize(texts)
            return ids.flat_values, ids.row_lengths()

        self._tokenize = tokenize.get_concrete_function(tf.TensorSpec([None], tf.string))
        self._unknown = tokenizer.vocabulary.unk_id
        self._continues = np.array([token.startswith(tokenizer.continuation) for token in tokenizer.vocabulary.tokens])

    def __call__(self, columns: list[list[str]]) -> Tokens:
        """Count."""
        in_text = np.zeros(len(columns[0]), np.int64)
        unknown = np.zeros_like(in_text)
        continuing = 0
        for texts in columns:
            ids, lengths = (tensor.numpy() for tensor in self._tokenize(tf.constant(texts, tf.string)))
            row = np.repeat(np.arange(len(texts)), lengths)
            in_text += lengths
            unknown += np.bincount(row[ids == self._unknown], minlength=len(texts))
            continuing += int(np.count_nonzero(self._continues[ids]))
        return Tokens(in_text + 1 + len(columns), in_text, unknown, continuing)  # [CLS] a [SEP] b [SEP]
