"""Sequences put together from slices of token ids."""

import tensorflow as tf

from keras_ft.text.ranges import ranges


def joined_slices(
    pool: tf.Tensor, starts: tf.Tensor, counts: tf.Tensor, segments: tf.Tensor
) -> tuple[tf.RaggedTensor, tf.RaggedTensor]:
    """Rows made of slices of a pool, one slice behind the other.

    Args:
        pool: int32 ids, `(pool,)`.
        starts: int64 `(rows, slices)`, at least one slice: where each begins in the pool.
        counts: int64 `(rows, slices)`: its ids, 0 for none.
        segments: int32 `(rows, slices)`: the segment of its ids.

    Returns:
        The ids and the segments, both int32 `[rows, None]`.
    """
    flat_counts = tf.reshape(counts, [-1])
    source, splits = ranges(tf.reshape(starts, [-1]), flat_counts)
    row_splits = splits[:: tf.shape(counts)[1]]
    ids = tf.RaggedTensor.from_row_splits(tf.gather(pool, source), row_splits, validate=False)
    return ids, ids.with_values(tf.repeat(tf.reshape(segments, [-1]), flat_counts))
