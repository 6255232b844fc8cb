"""Cross-entropy of a language model over its whole vocabulary."""

from typing import Any

from keras import ops

Tensor = Any


def token_cross_entropy(hidden: Tensor, embedding: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy of each prediction in nats, `(predictions,)` float32.

    Args:
        hidden: `(predictions, hidden)`, the decoder's output; products are computed in its type.
        embedding: `(vocabulary, hidden)`, the token embedding, which is also the output layer.
        labels: `(predictions,)` int32, the tokens that came; −1 where nothing is predicted, whose loss is 0.
    """
    logits = ops.matmul(hidden, ops.transpose(ops.cast(embedding, hidden.dtype)))  # (predictions, vocabulary)
    losses = ops.sparse_categorical_crossentropy(ops.maximum(labels, 0), ops.cast(logits, "float32"), from_logits=True)
    return ops.where(labels >= 0, losses, 0.0)
