"""Splitting texts into GPT-2's words, from which byte-pair encoding makes tokens one by one.

The pattern of its `encoder.py` is

    's|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+

RE2, which TensorFlow has, knows no look-ahead and another version of Unicode. Where a word begins can be told from the
classes of a character and its neighbours, so a table of classes does it: `byte_pair_characters.npz` has where each run
of code points of one class begins (`starts`, from 0 on) and that class (`classes`).
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf

LETTER, NUMBER, OTHER, APOSTROPHE, SPACE, WHITE = 0, 2, 4, 5, 6, 7  # halved: letter, number, other, white space
_WHITE_KIND = SPACE // 2
_ENDINGS = ("s", "t", "m", "d", "re", "ve", "ll")  # what makes a word with the apostrophe before it


class ByteWords(NamedTuple):
    """The words of a batch of texts: `word_splits [W + 1]` in code points, `row_splits [N + 1]` in words, int64."""

    word_splits: tf.Tensor
    row_splits: tf.Tensor


class WordSplitter(tf.Module):
    """Cuts texts, given as code points, into words, and words where no token goes on.

    The latter changes no id. Scripts without spaces have long words that hardly repeat; GPT-2, which knows few tokens
    of more than one Chinese character, then sees mostly single characters, and those repeat.

    Args:
        pairs: bool `[256, 256]`, which byte is followed by which within some token.
    """

    def __init__(self, pairs: np.ndarray):
        super().__init__()
        with np.load(Path(__file__).with_name("byte_pair_characters.npz")) as data:
            starts, classes = data["starts"], data["classes"]
        table = np.repeat(classes[:-1], np.diff(starts))  # what follows the last start is one class
        table = np.append(table, classes[-1])
        table[ord("'")] = APOSTROPHE
        with tf.init_scope(), tf.device("CPU:0"):
            self._classes = tf.constant(table, tf.int8)
            self._pairs = tf.constant(pairs.reshape(-1))

    def __call__(self, code_points: tf.Tensor, row_splits: tf.Tensor) -> ByteWords:
        """Splits the texts `code_points[row_splits[i]:row_splits[i + 1]]`.

        Args:
            code_points: int32 `[M]`, the texts one after the other, without surrogates.
            row_splits: int64 `[N + 1]`.
        """
        classes = tf.gather(self._classes, tf.minimum(code_points, self._classes.shape[0] - 1))  # (M,)
        kinds = tf.bitwise.right_shift(classes, tf.constant(1, tf.int8))
        size = tf.size(code_points, tf.int64)
        # Between two characters there is an edge, as there is before the first and after the last: M + 1 of them.
        ends_text = tf.tensor_scatter_nd_update(
            tf.zeros([size + 1], tf.bool), row_splits[:, None], tf.ones_like(row_splits, tf.bool)
        )
        differ = tf.concat([[True], kinds[1:] != kinds[:-1], [True]], 0)[: size + 1] | ends_text
        white = kinds == _WHITE_KIND
        after_space = tf.concat([[False], classes == SPACE], 0) & ~ends_text
        # A space goes with the word that follows; so of more white space all but the last goes together.
        begins = differ[:-1] & (white | ~after_space[:-1])
        begins |= white & differ[1:] & ~ends_text[1:]
        begins = tf.cond(
            tf.reduce_any(classes == APOSTROPHE),
            lambda: _split_contractions(begins, classes, code_points, ends_text),
            lambda: begins,
        )
        begins = tf.cond(
            tf.reduce_any(code_points >= 0x80), lambda: begins | ~self._goes_on(code_points), lambda: begins
        )
        word_starts = tf.where(begins)[:, 0]  # (W,)
        return ByteWords(
            word_splits=tf.concat([word_starts, [size]], 0),
            row_splits=tf.searchsorted(word_starts, row_splits, out_type=tf.int64),
        )

    def _goes_on(self, code_points: tf.Tensor) -> tf.Tensor:
        """Whether a token can have both the last byte of the character before each `[M]` and its first byte."""
        last = tf.where(code_points < 0x80, code_points, 0x80 + code_points % 0x40)
        first = tf.where(code_points < 0x80, code_points, 0xC0 + tf.bitwise.right_shift(code_points, 6))
        first = tf.where(code_points < 0x800, first, 0xE0 + tf.bitwise.right_shift(code_points, 12))
        first = tf.where(code_points < 0x10000, first, 0xF0 + tf.bitwise.right_shift(code_points, 18))
        before = tf.concat([[0], last], 0)[:-1]  # what is before the first does not matter, a word begins there
        return tf.gather(self._pairs, before * 256 + first)


def _split_contractions(
    begins: tf.Tensor, classes: tf.Tensor, code_points: tf.Tensor, ends_text: tf.Tensor
) -> tf.Tensor:
    """Joins an apostrophe that begins a word to the ending that follows, and begins a word behind that."""
    found = tf.where((classes == APOSTROPHE) & begins)[:, 0]  # (A,)
    none = tf.constant([-1, -1], tf.int32)
    code_points = tf.concat([code_points, none], 0)
    ends_text = tf.concat([ends_text, [True, True]], 0)
    first = tf.where(tf.gather(ends_text, found + 1), -1, tf.gather(code_points, found + 1))
    second = tf.where(tf.gather(ends_text, found + 2), -1, tf.gather(code_points, found + 2))
    length = tf.zeros_like(found)
    for ending in _ENDINGS:
        matches = first == ord(ending[0])
        if len(ending) == 2:
            matches &= second == ord(ending[1])
        length = tf.where(matches, tf.constant(len(ending), tf.int64), length)
    kept = tf.where(length > 0)[:, 0]
    found, length = tf.gather(found, kept), tf.gather(length, kept)
    begins = tf.concat([begins, [True, True]], 0)
    begins = tf.tensor_scatter_nd_update(begins, found[:, None] + 1, tf.zeros_like(found, tf.bool))
    behind = found + 1 + length
    return tf.tensor_scatter_nd_update(begins, behind[:, None], tf.ones_like(found, tf.bool))[:-2]
