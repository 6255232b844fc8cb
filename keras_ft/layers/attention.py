"""Self-attention over a flat batch: the one place where tokens are laid out in padded rows."""

from dataclasses import dataclass
from typing import Any

import keras
from keras import ops

from keras_ft.batch import TokenBatch
from keras_ft.layers.gradient import Gradient, with_gradient
from keras_ft.layers.random import Key, dropout

Tensor = Any
PROJECTIONS = 3  # queries, keys and values


@dataclass(frozen=True)
class HeadLayout:
    """How the tokens of a batch are laid out for attention, with each head apart; made once for all layers.

    In the ragged layout two gathers bring a head's part of a token to its place and back, padding and transposition in
    one. The gradient of each is a gather by the other's indices: every token has one place.

    Attributes:
        batch: the tokens.
        num_heads: how many heads a projection is cut into.
        mask: additive, broadcastable to `(rows, heads, queries, keys)`.
        taken: `(3, rows, heads, longest)` which part of which token is put there; any where there is none.
        places: `(tokens, heads, 3)` the inverse of `taken`.
        mixed_taken: `(tokens, heads)` where a head's output for a token lies.
        mixed_places: `(rows, heads, longest)` the inverse of `mixed_taken`.
        used: `(rows, 1, longest, 1)` 1 where there is a token, 0 elsewhere.
    """

    batch: TokenBatch
    num_heads: int
    mask: Tensor
    taken: Tensor = None
    places: Tensor = None
    mixed_taken: Tensor = None
    mixed_places: Tensor = None
    used: Tensor = None

    @classmethod
    def of(cls, batch: TokenBatch, num_heads: int, dtype: str, causal: bool = False) -> "HeadLayout":
        """The layout of a batch; the mask is of the type given, and where `causal`, no token looks ahead."""
        allowed = batch.attention_mask(causal)
        mask = ops.cast(ops.where(allowed, 0.0, -1e9), dtype)
        if batch.num_rows is not None:
            return cls(batch, num_heads, mask)
        num_rows, longest = batch.num_sequences, batch.longest
        heads = ops.arange(num_heads, dtype="int32")
        parts = ops.arange(PROJECTIONS, dtype="int32")
        token = ops.minimum(  # (rows, longest)
            batch.first_token[:, None] + ops.arange(longest, dtype="int32"), ops.shape(batch.ids)[0] - 1
        )
        row_head = batch.sequence[:, None] * num_heads + heads  # (tokens, heads)
        token_head = token[:, None, :] * num_heads + heads[:, None]  # (rows, heads, longest)
        mixed_taken = row_head * longest + batch.positions[:, None]
        return cls(
            batch,
            num_heads,
            mask,
            taken=token_head * PROJECTIONS + parts[:, None, None, None],
            places=parts * (num_rows * num_heads * longest) + mixed_taken[:, :, None],
            mixed_taken=mixed_taken,
            mixed_places=token_head,
            used=ops.cast(batch.to_rows(batch.token_weights)[:, None, :, None] > 0, dtype),
        )

    def to_heads(self, projected: Tensor) -> Tensor:
        """`(tokens, heads * 3 * head_dim)` → `(3, rows, heads, longest, head_dim)`."""
        batch, width = self.batch, projected.shape[-1]
        head_dim = width // (PROJECTIONS * self.num_heads)
        if batch.num_rows is not None:
            rows = ops.reshape(projected, (batch.num_rows, batch.longest, self.num_heads, PROJECTIONS, head_dim))
            return ops.transpose(rows, (3, 0, 2, 1, 4))

        def gradient(above: Tensor) -> Tensor:
            return ops.reshape(_take(ops.reshape(above, (-1, head_dim)), self.places), (-1, width))

        @with_gradient
        def gather(projected: Tensor) -> tuple[Tensor, Gradient]:
            return _take(ops.reshape(projected, (-1, head_dim)), self.taken), gradient

        return gather(projected)

    def from_heads(self, mixed: Tensor) -> Tensor:
        """`(rows, heads, longest, head_dim)` → `(tokens, heads * head_dim)`."""
        batch, head_dim = self.batch, mixed.shape[-1]
        width = self.num_heads * head_dim
        if batch.num_rows is not None:
            return ops.reshape(ops.transpose(mixed, (0, 2, 1, 3)), (batch.num_rows * batch.longest, width))

        def gradient(above: Tensor) -> Tensor:
            return _take(ops.reshape(above, (-1, head_dim)), self.mixed_places) * self.used

        @with_gradient
        def gather(mixed: Tensor) -> tuple[Tensor, Gradient]:
            return ops.reshape(_take(ops.reshape(mixed, (-1, head_dim)), self.mixed_taken), (-1, width)), gradient

        return gather(mixed)


def self_attention(projected: Tensor, layout: HeadLayout, rate: float, key: Key | None) -> Tensor:
    """Scaled dot-product attention of every token to the tokens of its own sequence.

    Args:
        projected: `(tokens, heads * 3 * head_dim)`, for each head its query, key and value side by side.
        layout: of the batch.
        rate: drop-out rate of the attention probabilities.
        key: random key of this site, `None` at inference.

    Returns:
        `(tokens, heads * head_dim)`, the heads' outputs side by side.

    Vaswani et al. 2017, arXiv:1706.03762, section 3.2.
    """
    # Unlike three slices, unstacking has one copy for its gradient.
    queries, keys, values = ops.unstack(layout.to_heads(projected), PROJECTIONS, axis=0)
    return layout.from_heads(attend(queries, keys, values, layout.mask, rate, key))


def attend(
    queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor, rate: float = 0.0, key: Key | None = None
) -> Tensor:
    """Mix values by what each query finds among the keys.

    Args:
        queries: `(rows, heads, queries, head_dim)`.
        keys, values: `(rows, heads, keys, head_dim)`.
        mask: additive, broadcastable to `(rows, heads, queries, keys)`.
        rate, key: drop-out of the probabilities.

    Returns:
        `(rows, heads, queries, head_dim)`.
    """
    probabilities = ops.softmax(_scores(queries, keys, mask), axis=-1)
    return ops.matmul(dropout(probabilities, rate, key), values)


def _scores(queries: Tensor, keys: Tensor, mask: Tensor) -> Tensor:
    """`(rows, heads, queries, keys)`."""
    scale = ops.cast(queries.shape[-1] ** -0.5, queries.dtype)
    if mask.shape[2] == 1:  # one mask for all queries of a row
        return ops.matmul(queries, ops.swapaxes(keys, -1, -2)) * scale + mask
    # Another mask must not be added in four dimensions: at inference TensorFlow would fuse the addition with the
    # product, and oneDNN has nothing but its reference code for that, up to hundreds of times slower.
    scores = ops.matmul(queries * scale, ops.swapaxes(keys, -1, -2))
    if mask.shape[0] != 1:
        return ops.where(mask < 0, mask, scores)
    shape = ops.shape(scores)
    return ops.reshape(ops.reshape(scores, (-1, *shape[2:])) + mask[0], shape)


def _take(values: Tensor, indices: Tensor) -> Tensor:
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.gather(values, indices)  # without Keras' passes for negative indices
    return ops.take(values, indices, axis=0)
