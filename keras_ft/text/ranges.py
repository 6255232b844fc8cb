"""Runs of consecutive numbers, the way to take many slices of a flat tensor with one gather."""

import tensorflow as tf


def ranges(starts: tf.Tensor, counts: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """For each i the numbers `starts[i], starts[i] + 1, …`, `counts[i]` of them, one run after the other.

    Args:
        starts: int32 or int64 `[R]`.
        counts: of the same type, `[R]`, not negative.

    Returns:
        The numbers `[sum of counts]`, and int64 `[R + 1]`: where each run lies in them.
    """
    result = tf.raw_ops.RaggedRange(starts=starts, limits=starts + counts, deltas=1, Tsplits=tf.int64)
    return result.rt_dense_values, result.rt_nested_splits
