"""The vectors nearest to a query, exactly, as a part of a graph.

All scores of one query against many vectors cost what reading the vectors costs. So they are turned to their principal
axes, and the first third of these is read for all vectors: with the norm of what is left of a vector it bounds its
score from above (Cauchy-Schwarz). Vectors whose bound is below a score that enough others have are out; the rest is
read for the others alone. Nothing is approximate: the answer is that of one product with all vectors.
"""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

Found = tuple[tf.Tensor, tf.Tensor]
SMALL = 20_000  # vectors that are read as fast as they are thought about
FIRST_GUESS = 64  # vectors whose scores say what it takes to be among the nearest
SLACK = 1e-5  # of a bound, for rounding
MOST_KEPT = 0.5  # share of the vectors from which on all are read


class NearestVectors(tf.Module):
    """Vectors that can be asked which of them are nearest.

    Args:
        vectors: `(items, hidden)` float32 of length 1.
        small: up to so many, all are read for every query.
    """

    def __init__(self, vectors: np.ndarray, small: int = SMALL):
        super().__init__(name="nearest_vectors")
        self.count, dim = vectors.shape
        self.prunes = self.count > small
        axes = _principal_axes(vectors) if self.prunes else np.eye(dim, dtype=np.float32)
        width = dim // 3 if self.prunes else dim
        turned = vectors @ axes
        self.axes = tf.Variable(axes, trainable=False, name="axes")  # (hidden, hidden)
        self.head = tf.Variable(turned[:, :width], trainable=False, name="head")  # (items, width)
        self.rest = tf.Variable(turned[:, width:], trainable=False, name="rest")  # (items, hidden - width)
        norms = np.linalg.norm(turned[:, width:], axis=1).astype(np.float32)
        self.rest_norms = tf.Variable(norms, trainable=False, name="rest_norms")  # (items,)

    def __call__(self, queries: tf.Tensor, width: tf.Tensor) -> Found:
        """Scores and numbers of the nearest vectors, `(queries, width)` each, best first; of equal ones the first.

        Args:
            queries: `(queries, hidden)` float32.
            width: how many, a scalar int32 of at most the number of vectors.
        """
        turned = tf.matmul(queries, self.axes)
        head, rest = turned[:, : self.head.shape[1]], turned[:, self.head.shape[1] :]
        of_head = tf.matmul(head, self.head, transpose_b=True)  # (queries, items)

        def all_read() -> Found:
            scores = of_head + tf.matmul(rest, self.rest, transpose_b=True) if self.prunes else of_head
            found = tf.math.top_k(scores, width)
            return found.values, found.indices

        if not self.prunes:
            return all_read()
        alone = (tf.shape(queries)[0] == 1) & (width > 0)
        return tf.cond(alone, lambda: self._pruned(of_head[0], rest[0], width, all_read), all_read)

    def _pruned(self, of_head: tf.Tensor, rest: tf.Tensor, width: tf.Tensor, all_read: Callable[[], Found]) -> Found:
        bounds = of_head + tf.norm(rest) * self.rest_norms  # (items,)

        def scores_of(items: tf.Tensor) -> tf.Tensor:
            return tf.gather(of_head, items) + tf.linalg.matvec(tf.gather(self.rest, items), rest)

        guess = tf.math.top_k(bounds, tf.minimum(self.count, tf.maximum(FIRST_GUESS, 4 * width))).indices
        enough = tf.math.top_k(scores_of(guess), width).values[-1]
        items = tf.reshape(tf.where(bounds >= enough - SLACK), [-1])  # in their order

        def some_read() -> Found:
            found = tf.math.top_k(scores_of(items), width)
            return found.values[None], tf.cast(tf.gather(items, found.indices), tf.int32)[None]

        few = tf.cast(tf.size(items), tf.float32) <= MOST_KEPT * self.count
        return tf.cond(few, some_read, all_read)


def _principal_axes(vectors: np.ndarray) -> np.ndarray:
    """Orthonormal axes as columns, `(hidden, hidden)` float32; on the first ones the vectors are longest."""
    moment = sum(part.T.astype(np.float64) @ part for part in np.array_split(vectors, 1 + len(vectors) // 8192))
    return np.ascontiguousarray(np.linalg.eigh(moment)[1][:, ::-1], dtype=np.float32)
