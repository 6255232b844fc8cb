"""Which vectors of a batch are whose: the texts of each example, and those that an example is told apart from."""

from typing import Any

from keras import ops

from keras_ft.batch import TokenBatch

Tensor = Any


class Places:
    """The vectors of the first, second or third text of each example, `(examples, hidden)`.

    Where an example has no such text the vector is of another one, and nothing asks for it.
    """

    def __init__(self, vectors: Tensor, batch: TokenBatch):
        self._vectors, self._last = vectors, batch.num_sequences - 1
        counts = ops.cast(batch.sum_of_examples(ops.ones_like(vectors[:, 0])), "int32")
        self._first = ops.cumsum(counts) - counts  # (examples,)

    def __call__(self, place: int) -> Tensor:
        """Those of the texts at a place, from 0."""
        return ops.take(self._vectors, ops.minimum(self._first + place, self._last), axis=0)


def candidate_mask(batch: TokenBatch, groups: int) -> Tensor:
    """Which candidates each example is held against, `(examples, groups · examples)` bool.

    Those of the other examples, unless their text is the example's own, its partner, or a partner that the same
    text has in another row; and none of examples that only fill up. Negatives (of the second group) stand where
    their text is neither its own nor its partner.
    """
    keys = batch.features["text_key"]  # (examples, places, 2)

    def same(one: int, other: int) -> Tensor:
        return ops.all(keys[:, None, one] == keys[None, :, other], axis=-1)  # (examples, examples)

    real = (batch.example_weights > 0)[None, :]
    own = ops.eye(batch.num_examples, dtype="bool")
    positives = own | (real & ~same(1, 1) & ~same(0, 1) & ~same(0, 0))
    if groups == 1:
        return positives
    return ops.concatenate([positives, real & ~same(1, 2) & ~same(0, 2)], axis=1)
