"""Softmax over the tokens of each sequence, in either layout."""

from typing import Any

from keras import ops

from keras_ft.batch import TokenBatch

Tensor = Any


def log_normalizer(logits: Tensor, batch: TokenBatch) -> Tensor:
    """The logarithm of the sum of exp(logits) over the real tokens of each sequence.

    Args:
        logits: `(tokens, outputs)` float32.
        batch: says which sequence each token belongs to.

    Returns:
        `(sequences, outputs)`; what stands in the empty slots of the rows layout is finite and means nothing.
    """
    real = batch.token_weights[:, None] > 0  # (tokens, 1)
    fixed = ops.stop_gradient(ops.where(real, logits, -1e30))
    largest = ops.segment_max(fixed, batch.sequence, num_segments=batch.num_sequences + 1)  # the last one of filler
    largest = ops.maximum(largest, -1e30)  # where there are no tokens
    shifted = ops.where(real, logits - ops.take(largest, batch.sequence, axis=0), 0.0)
    total = batch.sum_of_sequences(ops.where(real, ops.exp(shifted), 0.0))  # (sequences, outputs)
    return ops.log(ops.maximum(total, 1e-30)) + largest[:-1]
