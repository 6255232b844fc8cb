"""Stateless randomness: the engine owns a key, and every drop-out site folds its own number into it.

There is no generator with state: (run seed, step) is all there is, so a resumed run draws the same masks as
one that was never interrupted, and replicas, which fold in their number, draw different ones.
"""

from typing import Any

import keras
from keras import ops

Tensor = Any


class Key:
    """A random key of the backend in use; `None` in its place means inference."""

    def __init__(self, data: Tensor):
        self.data = data

    @classmethod
    def from_seed(cls, seed: int) -> "Key":
        """The root key of a run."""
        if keras.backend.backend() == "jax":
            import jax

            return cls(jax.random.key(seed))
        return cls(ops.convert_to_tensor([seed, 0], dtype="int32"))

    def fold(self, number: Any) -> "Key":
        """A new key for `number` (a step, a micro-batch, a replica, a site)."""
        if keras.backend.backend() == "jax":
            import jax

            return Key(jax.random.fold_in(self.data, number))
        import tensorflow as tf

        return Key(tf.random.experimental.stateless_fold_in(self.data, number))

    def bits(self, count: Any) -> Tensor:
        """`(count,)` uniform integers in [0, 65536) as uint16; two are cut from each 32-bit draw."""
        pairs = (count + 1) // 2
        if keras.backend.backend() == "jax":
            import jax

            draws = jax.lax.bitcast_convert_type(jax.random.bits(self.data, (pairs,), "uint32"), "uint16")
            return draws.reshape(-1)[:count]
        import tensorflow as tf

        draws = tf.random.stateless_uniform((pairs,), self.data, minval=None, maxval=None, dtype=tf.int32)
        return tf.reshape(tf.bitcast(draws, tf.uint16), (-1,))[:count]


def key_of_site(key: Key | None, number: int) -> Key | None:
    """The key of a drop-out site by its number; `None` at inference."""
    return None if key is None else key.fold(number)


def dropout(values: Tensor, rate: float, key: Key | None) -> Tensor:
    """Zero each element with probability `rate` and scale the others so that the mean stays.

    Args:
        values: a tensor of any shape.
        rate: between 0 and 1, realized in steps of 1/65536.
        key: a key of this site alone; `None` returns `values` as they are.

    Srivastava et al. 2014, JMLR 15.
    """
    threshold = round(rate * 65536)
    if key is None or threshold == 0:
        return values
    shape = ops.shape(values)
    count = ops.prod(ops.convert_to_tensor(shape, dtype="int32")) if _is_dynamic(shape) else ops.size(values)
    keep = ops.reshape(key.bits(count), shape) >= ops.cast(threshold, "uint16")
    scale = ops.cast(65536 / (65536 - threshold), values.dtype)
    return values * (ops.cast(keep, values.dtype) * scale)


def _is_dynamic(shape: tuple) -> bool:
    return any(not isinstance(size, int) for size in shape)
