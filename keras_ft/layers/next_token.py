"""Which tokens of a batch a language model is to predict, and from where."""

from dataclasses import dataclass
from typing import Any

from keras import ops

from keras_ft.batch import TokenBatch

Tensor = Any


@dataclass(frozen=True)
class Predictions:
    """The tokens to be predicted; in the rows layout, where shapes are static, there is one for every slot.

    Attributes:
        places: `(predictions,)` int32 where the token before each lies, whose hidden state predicts it; None for all.
        labels: `(predictions,)` int32 the tokens, −1 where nothing is predicted.
        sequence: `(predictions,)` int32 the sequence of each.
        weights: `(predictions,)` float32, 0 where nothing is predicted and in examples that only fill a batch up.
    """

    places: Tensor
    labels: Tensor
    sequence: Tensor
    weights: Tensor

    @classmethod
    def of(cls, batch: TokenBatch) -> "Predictions":
        """Every token of segment 1, but for a sequence's first, is predicted by the token before it."""
        is_target = ops.logical_and(batch.positions > 0, ops.equal(batch.segments, 1))  # (tokens,)
        if batch.num_rows is None:
            here = ops.cast(ops.where(is_target)[0], "int32")  # (predictions,)
            places, labels = here - 1, ops.take(batch.ids, here, axis=0)
            sequence = ops.take(batch.sequence, here, axis=0)
            is_predicted = ops.ones_like(labels, dtype="float32")
        else:
            is_target = ops.roll(is_target, -1)
            places, labels = None, ops.where(is_target, ops.roll(batch.ids, -1), -1)
            sequence, is_predicted = batch.sequence, ops.cast(is_target, "float32")
        of_sequence = ops.take(batch.example_weights, batch.example_of_sequence, axis=0)
        # Filler's sequence is the number of sequences.
        weights = ops.take(of_sequence, ops.minimum(sequence, batch.num_sequences - 1), axis=0)
        return cls(places, labels, sequence, is_predicted * weights)

    def states(self, hidden: Tensor) -> Tensor:
        """`(tokens, hidden)` → `(predictions, hidden)`: those that predict."""
        return hidden if self.places is None else ops.take(hidden, self.places, axis=0)

    def sums(self, values: Tensor, num_sequences: Any) -> Tensor:
        """`(predictions,)` summed over each sequence: `(sequences,)`."""
        return ops.segment_sum(values, self.sequence, num_segments=num_sequences + 1)[:-1]  # without filler


def smoothing_term(hidden: Tensor, embedding: Tensor, labels: Tensor) -> Tensor:
    """What label smoothing by ε adds to a token's cross-entropy, divided by ε: `(predictions,)` float32.

    The smoothed loss is (1 − ε) · (−log p(label)) + ε · the mean of −log p over the vocabulary (Szegedy et al. 2016,
    arXiv:1512.00567, section 7). The two differ by the label's logit less the mean logit, which needs no other logits.

    Args:
        hidden: `(predictions, hidden)`.
        embedding: `(vocabulary, hidden)`, also the output layer.
        labels: `(predictions,)` int32, −1 where nothing is predicted.
    """
    of_label = ops.take(embedding, ops.maximum(labels, 0), axis=0)  # (predictions, hidden)
    return ops.sum(ops.cast(hidden, "float32") * (of_label - ops.mean(embedding, axis=0)), axis=-1)
