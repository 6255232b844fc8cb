"""Framing token ids the way BERT reads them: [CLS] a [SEP], or [CLS] a [SEP] b [SEP]."""

from typing import NamedTuple

import tensorflow as tf

from keras_ft.errors import RequestError
from keras_ft.text.vocabulary import Vocabulary


class Sequences(NamedTuple):
    """Sequences as the encoder sees them.

    `ids [N, None]` int32; `segments [N, None]` int32, 0 up to the first [SEP] and 1 after it; `truncated [N]` bool,
    whether the sequence lost tokens.
    """

    ids: tf.RaggedTensor
    segments: tf.RaggedTensor
    truncated: tf.Tensor


def single(ids: tf.RaggedTensor, vocabulary: Vocabulary, max_length: int) -> Sequences:
    """[CLS] a [SEP], cut on the right.

    Args:
        ids: int32 `[N, None]`.
        vocabulary: says which ids [CLS] and [SEP] have.
        max_length: tokens in a sequence, [CLS] and [SEP] included.

    Raises:
        RequestError: max_length leaves no room for [CLS] and [SEP].
    """
    room = _room(max_length, 2)
    kept = ids[:, :room]
    cls, sep = _column(ids, vocabulary.cls_id), _column(ids, vocabulary.sep_id)
    sequences = tf.concat([cls, kept, sep], axis=1)
    return Sequences(sequences, tf.zeros_like(sequences), ids.row_lengths() > room)


def pair(a: tf.RaggedTensor, b: tf.RaggedTensor, vocabulary: Vocabulary, max_length: int) -> Sequences:
    """[CLS] a [SEP] b [SEP], the longer of a and b cut first, on the right.

    The shorter keeps all it has as long as it fits into its half; where both are longer, each gets half, and an odd
    token goes to the longer (to b where they are equal), as Hugging Face's "longest_first" does.

    Args:
        a: int32 `[N, None]`, segment 0.
        b: int32 `[N, None]`, segment 1.
        vocabulary: says which ids [CLS] and [SEP] have.
        max_length: tokens in a sequence, [CLS] and both [SEP] included.

    Raises:
        RequestError: max_length leaves no room for [CLS] and both [SEP].
    """
    room = _room(max_length, 3)
    length_a, length_b = a.row_lengths(), b.row_lengths()
    half = tf.constant(room // 2, length_a.dtype)
    shorter = tf.minimum(tf.minimum(length_a, length_b), half)
    longer = tf.minimum(tf.maximum(length_a, length_b), room - shorter)
    keep_a = tf.where(length_a > length_b, longer, shorter)
    keep_b = tf.where(length_a > length_b, shorter, longer)

    cls, sep = _column(a, vocabulary.cls_id), _column(a, vocabulary.sep_id)
    first = tf.concat([cls, _first(a, keep_a), sep], axis=1)
    second = tf.concat([_first(b, keep_b), sep], axis=1)
    segments = tf.concat([tf.zeros_like(first), tf.ones_like(second)], axis=1)
    return Sequences(tf.concat([first, second], axis=1), segments, length_a + length_b > room)


def _room(max_length: int, num_special: int) -> int:
    if max_length < num_special:
        raise RequestError(f"max_length {max_length} is too small: [CLS] and [SEP] alone take {num_special}")
    return max_length - num_special


def _column(ids: tf.RaggedTensor, token_id: int) -> tf.Tensor:
    return tf.fill([ids.nrows(), 1], tf.constant(token_id, ids.dtype))  # (N, 1)


def _first(ids: tf.RaggedTensor, counts: tf.Tensor) -> tf.RaggedTensor:
    """The first `counts[i]` ids of each row i."""
    positions = tf.range(tf.size(ids.values, counts.dtype)) - tf.gather(ids.row_starts(), ids.value_rowids())
    return tf.ragged.boolean_mask(ids, ids.with_values(positions < tf.gather(counts, ids.value_rowids())))
