"""A plan → a tf.data pipeline that assembles the batches it names ahead of their use."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from keras_ft.data.arrays import TokenArrays


def batches(arrays: TokenArrays, batch_plan: Sequence[np.ndarray], start: int = 0) -> tf.data.Dataset:
    """Assemble the batches of a plan, in its order, a few ahead of the consumer.

    Args:
        arrays: the tokenized examples.
        batch_plan: for each batch the indices of its examples, as `plan` gives them.
        start: the first batch wanted; those before it are never read, so a resumed run loses no time.

    Returns:
        A dataset of `len(batch_plan) - start` dicts: what `TokenArrays.gather` returns, as tensors whose first
        dimension is dynamic, and `rows` `(examples,)` int64, the indices themselves.

    Raises:
        ValueError: `start` lies outside the plan.
    """
    if not 0 <= start <= len(batch_plan):
        raise ValueError(f"start is {start}; the plan has {len(batch_plan)} batches")

    def gather(indices: np.ndarray) -> dict[str, np.ndarray]:
        return {**arrays.gather(indices), "rows": np.asarray(indices, dtype=np.int64)}

    empty = gather(np.zeros(0, dtype=np.int64))  # shows every name, dtype and trailing shape
    names, dtypes = list(empty), [array.dtype for array in empty.values()]

    def assemble(step: tf.Tensor) -> dict[str, tf.Tensor]:
        tensors = tf.numpy_function(lambda i: list(gather(batch_plan[i]).values()), [step], dtypes, stateful=False)
        for name, tensor in zip(names, tensors, strict=True):
            tensor.set_shape([None, *empty[name].shape[1:]])
        return dict(zip(names, tensors, strict=True))

    steps = tf.data.Dataset.range(start, len(batch_plan))
    return steps.map(assemble, num_parallel_calls=2, deterministic=True).prefetch(tf.data.AUTOTUNE)
