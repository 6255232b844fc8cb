"""Splitting normalized characters into words, the units that WordPiece looks at one by one."""

from typing import NamedTuple

import tensorflow as tf

from keras_ft.text.characters import ISOLATED, SPACE, Characters


class Words(NamedTuple):
    """The words of a batch of texts, flat.

    `code_points [K]` int32 without spaces; `sources [K]` int32 as in `Characters`; `word_splits [W + 1]` int64 says
    where each word lies in them; `row_splits [N + 1]` int64 says which words each text has.
    """

    code_points: tf.Tensor
    sources: tf.Tensor
    word_splits: tf.Tensor
    row_splits: tf.Tensor


def split_words(characters: Characters) -> Words:
    """Cuts at spaces, round isolated characters, between words and symbols, and between texts."""
    packed, sources, row_splits = characters
    classes = tf.bitwise.bitwise_and(packed, 3)  # (M,)
    before = tf.concat([[SPACE], classes], 0)  # (M + 1,), the class of the character before
    before = tf.tensor_scatter_nd_update(before, row_splits[:, None], tf.fill(tf.shape(row_splits), SPACE))[:-1]
    begins = (classes == ISOLATED) | (classes != before)

    kept = tf.where(classes != SPACE)[:, 0]  # (K,)
    word_starts = tf.where(tf.gather(begins, kept))[:, 0]  # (W,)
    row_splits = tf.searchsorted(word_starts, tf.searchsorted(kept, row_splits, out_type=tf.int64), out_type=tf.int64)
    return Words(
        code_points=tf.bitwise.right_shift(tf.gather(packed, kept), 2),
        sources=tf.gather(sources, kept),
        word_splits=tf.concat([word_starts, tf.shape(kept, tf.int64)], 0),
        row_splits=row_splits,
    )
