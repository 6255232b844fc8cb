"""Self-attention over a flat batch: the one place where tokens are laid out in padded rows."""

from typing import Any

from keras import ops

from keras_ft.batch import TokenBatch
from keras_ft.layers.random import Key, dropout

Tensor = Any


def self_attention(
    queries_keys_values: Tensor, batch: TokenBatch, mask: Tensor, num_heads: int, rate: float, key: Key | None
) -> Tensor:
    """Scaled dot-product attention of every token to the tokens of its own sequence.

    Args:
        queries_keys_values: `(tokens, heads * 3 * head_dim)`, for each head the three projections side by side.
        batch: says which token belongs to which sequence.
        mask: additive, broadcastable to `(rows, heads, queries, keys)`; see `additive_mask`.
        num_heads: how many heads `hidden` is cut into.
        rate: drop-out rate of the attention probabilities.
        key: random key of this site, `None` at inference.

    Returns:
        `(tokens, hidden)`, the heads' outputs side by side.

    Vaswani et al. 2017, arXiv:1706.03762, section 3.2.
    """
    rows = batch.to_rows(queries_keys_values)  # (rows, longest, 3 * hidden)
    num_rows, longest, width = ops.shape(rows)
    hidden = width // 3
    rows = ops.reshape(rows, (num_rows, longest, num_heads, 3, hidden // num_heads))
    rows = ops.transpose(rows, (3, 0, 2, 1, 4))  # (3, rows, heads, longest, head_dim)
    queries, keys, values = ops.unstack(rows, 3, axis=0)  # unlike three slices, its gradient is one copy
    scores = ops.matmul(queries, ops.swapaxes(keys, -1, -2))  # (rows, heads, queries, keys)
    scores = scores * ops.cast((hidden // num_heads) ** -0.5, scores.dtype) + mask
    probabilities = dropout(ops.softmax(scores, axis=-1), rate, key)
    mixed = ops.matmul(probabilities, values)  # (rows, heads, longest, head_dim)
    mixed = ops.reshape(ops.transpose(mixed, (0, 2, 1, 3)), (num_rows, longest, hidden))
    return batch.from_rows(mixed)


def additive_mask(batch: TokenBatch, dtype: str) -> Tensor:
    """0 where a query may look at a key, a large negative number where it may not."""
    return ops.cast(ops.where(batch.attention_mask(), 0.0, -1e9), dtype)
