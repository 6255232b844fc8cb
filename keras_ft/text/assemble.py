"""Framing token ids the way BERT reads them, [CLS] a [SEP] or [CLS] a [SEP] b [SEP], or as its variants do."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import tensorflow as tf

from keras_ft.errors import RequestError
from keras_ft.text.framing import Framing
from keras_ft.text.ranges import ranges
from keras_ft.text.windows import Windows, windows


@dataclass(frozen=True)
class Sequences:
    """Sequences as the encoder sees them, S of them for N examples.

    Attributes:
        ids: int32 `[S, None]`.
        segments: int32 `[S, None]`, of BERT 0 up to the first [SEP] and 1 after it.
        truncated: `[N]` bool, whether the example lost tokens.
        counts: `[N]` int64, at least 1: how many sequences, one behind the other, are an example's; None where each has
            one.
        window_start: `[S]` int32 where the sequence starts in its example's tokens; None where each starts at 0.
        features: what the task adds, by the names of its `axes`; what lies along tokens is flat, `[T, …]`.
    """

    ids: tf.RaggedTensor
    segments: tf.RaggedTensor
    truncated: tf.Tensor
    counts: tf.Tensor | None = None
    window_start: tf.Tensor | None = None
    features: Mapping[str, tf.Tensor] = field(default_factory=dict)


def single(ids: tf.RaggedTensor, vocabulary: Framing, max_length: int) -> Sequences:
    """[CLS] a [SEP], or as the vocabulary has it, cut on the right.

    Args:
        ids: int32 `[N, None]`.
        vocabulary: says what frames a text.
        max_length: tokens in a sequence, those of the frame included.

    Raises:
        RequestError: max_length leaves no room for [CLS] and [SEP].
    """
    begin, behind = vocabulary.begin_ids, vocabulary.end_ids
    room = _room(max_length, len(begin + behind))
    ids = ids.with_row_splits_dtype(tf.int64)
    lengths = ids.row_lengths()
    kept = tf.minimum(lengths, room)
    one = tf.ones_like(kept)
    pool = tf.concat([_ids(begin), ids.values, _ids(behind)], 0)
    end = tf.size(pool, tf.int64) - len(behind)
    sequences, _ = _lay_out(
        pool,
        starts=[0 * one, len(begin) + ids.row_starts(), end * one],
        counts=[len(begin) * one, kept, len(behind) * one],
    )
    return Sequences(sequences, tf.zeros_like(sequences), lengths > room)


def single_in_windows(
    ids: tf.RaggedTensor, vocabulary: Framing, max_length: int, stride: int
) -> tuple[Sequences, Windows, tf.Tensor]:
    """[CLS] a [SEP], or as the vocabulary has it; of a long text several, of parts that overlap.

    Args:
        ids: int32 `[N, None]`.
        vocabulary: says what frames a text.
        max_length: tokens in a sequence, those of the frame included.
        stride: tokens that two neighbours share.

    Returns:
        The sequences; where their windows lie; and for each of their tokens `[T]` int64 its number among those of
        `ids`, -1 of the frame.

    Raises:
        RequestError: max_length leaves no room for [CLS] and [SEP].
    """
    begin, behind = vocabulary.begin_ids, vocabulary.end_ids
    room = _room(max_length, len(begin + behind))
    if room < 1:
        raise RequestError(f"max_length {max_length} is too small: [CLS] and [SEP] leave no room for a text")
    ids = ids.with_row_splits_dtype(tf.int64)
    lengths = ids.row_lengths()
    cut = windows(lengths, tf.fill(tf.shape(lengths), tf.constant(room, tf.int64)), stride)
    one = tf.ones_like(cut.length)  # (windows,)
    pool = tf.concat([_ids(begin), ids.values, _ids(behind)], 0)
    end = tf.size(pool, tf.int64) - len(behind)
    sequences, source = _lay_out(
        pool,
        starts=[0 * one, len(begin) + tf.gather(ids.row_starts(), cut.text) + cut.start, end * one],
        counts=[len(begin) * one, cut.length, len(behind) * one],
    )
    whole = tf.zeros_like(lengths, tf.bool)
    framed = Sequences(sequences, tf.zeros_like(sequences), whole, cut.counts, tf.cast(cut.start, tf.int32))
    of_text = (source >= len(begin)) & (source < end)
    return framed, cut, tf.where(of_text, source - len(begin), tf.constant(-1, tf.int64))


def pair(a: tf.RaggedTensor, b: tf.RaggedTensor, vocabulary: Framing, max_length: int) -> Sequences:
    """[CLS] a [SEP] b [SEP], or as the vocabulary has it, the longer of a and b cut first, on the right.

    The shorter keeps all it has as long as it fits into its half; where both are longer, each gets half, and an odd
    token goes to the longer (to b where they are equal), as Hugging Face's "longest_first" does.

    Args:
        a: int32 `[N, None]`, segment 0.
        b: int32 `[N, None]`, of BERT segment 1.
        vocabulary: says what frames a text.
        max_length: tokens in a sequence, those of the frame included.

    Raises:
        RequestError: max_length leaves no room for [CLS] and both [SEP].
    """
    begin, between, behind = vocabulary.begin_ids, vocabulary.between_ids, vocabulary.end_ids
    room = _room(max_length, len(begin + between + behind))
    a, b = a.with_row_splits_dtype(tf.int64), b.with_row_splits_dtype(tf.int64)
    length_a, length_b = a.row_lengths(), b.row_lengths()
    shorter = tf.minimum(tf.minimum(length_a, length_b), room // 2)
    longer = tf.minimum(tf.maximum(length_a, length_b), room - shorter)
    keep_a = tf.where(length_a > length_b, longer, shorter)
    keep_b = tf.where(length_a > length_b, shorter, longer)

    one = tf.ones_like(keep_a)
    pool = tf.concat([_ids(begin + between), a.values, b.values, _ids(behind)], 0)
    begin_a = len(begin + between)
    begin_b = begin_a + tf.size(a.values, tf.int64)
    end = tf.size(pool, tf.int64) - len(behind)
    ids, source = _lay_out(
        pool,
        starts=[0 * one, begin_a + a.row_starts(), len(begin) * one, begin_b + b.row_starts(), end * one],
        counts=[len(begin) * one, keep_a, len(between) * one, keep_b, len(behind) * one],
    )
    segments = ids.with_values(vocabulary.second_segment * tf.cast(source >= begin_b, tf.int32))
    return Sequences(ids, segments, length_a + length_b > room)


def _ids(ids: list[int]) -> tf.Tensor:
    return tf.constant(ids, tf.int32)


def _room(max_length: int, num_special: int) -> int:
    if max_length < num_special:
        raise RequestError(f"max_length {max_length} is too small: [CLS] and [SEP] alone take {num_special}")
    return max_length - num_special


def _lay_out(pool: tf.Tensor, starts: list[tf.Tensor], counts: list[tf.Tensor]) -> tuple[tf.RaggedTensor, tf.Tensor]:
    """Rows made of slices of a pool: row i has `counts[0][i]` ids from `starts[0][i]` on, then those of 1 and so on.

    Returns:
        The rows `[N, None]`, and the index in the pool that each id `[T]` came from.
    """
    source, splits = ranges(tf.reshape(tf.stack(starts, 1), [-1]), tf.reshape(tf.stack(counts, 1), [-1]))
    row_splits = splits[:: len(starts)]  # (N + 1,)
    return tf.RaggedTensor.from_row_splits(tf.gather(pool, source), row_splits, validate=False), source
