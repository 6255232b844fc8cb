"""The steps of a run or an evaluation, in the layout that an engine computes in."""

from typing import Literal, Protocol

import numpy as np

from keras_ft.data.plan import evaluation_plan, plan
from keras_ft.data.row_plan import MOST_SHAPES, BatchRows, TokenRows
from keras_ft.data.steps import Step, ragged_steps
from keras_ft.errors import RequestError

Layout = Literal["ragged", "rows"]
EVALUATION_SLOTS = 4096  # of a replica in the rows layout


class Plans(Protocol):
    """The steps of every epoch: pure functions of what the plans were made with."""

    def steps(self, epoch: int) -> list[Step]:
        """The steps of an epoch."""

    def count(self, epoch: int) -> int:
        """How many there are."""


class RaggedPlans:
    """`plan` for every epoch, in the ragged layout.

    Args:
        lengths: `(examples,)` tokens of each example.
        seed: of the shuffling.
        parts: how many a step is divided into.
        batch_size, tokens_per_batch: one of the two.
    """

    def __init__(
        self, lengths: np.ndarray, seed: int, parts: int, batch_size: int | None, tokens_per_batch: int | None
    ):
        self.lengths, self.seed, self.parts = lengths, seed, parts
        self.batch_size, self.tokens_per_batch = batch_size, tokens_per_batch

    def steps(self, epoch: int) -> list[Step]:
        """The steps of an epoch."""
        return ragged_steps(self._plan(epoch), self.lengths, self.parts)

    def count(self, epoch: int) -> int:
        """How many steps the epoch has."""
        if self.batch_size:
            return -(-len(self.lengths) // self.batch_size)
        return len(self._plan(epoch))

    def _plan(self, epoch: int) -> list[np.ndarray]:
        return plan(self.lengths, self.seed, epoch, batch_size=self.batch_size, tokens_per_batch=self.tokens_per_batch)


def training_plans(
    layout: Layout,
    lengths: np.ndarray,
    seed: int,
    *,
    epochs: int,
    parts: int = 1,
    batch_size: int | None = None,
    tokens_per_batch: int | None = None,
    most_shapes: int = MOST_SHAPES,
) -> Plans:
    """The plans of a training run.

    Args:
        layout: `ragged` or `rows`.
        lengths: `(examples,)` tokens of each example.
        seed: the same one gives the same plans.
        epochs: how many the run has at most.
        parts: replicas times micro-batches.
        batch_size, tokens_per_batch: one of the two, of a whole step.
        most_shapes: how many shapes there may be in the rows layout with a batch size.

    Raises:
        RequestError: a text does not fit into its part of `tokens_per_batch`.
    """
    if layout == "ragged":
        return RaggedPlans(lengths, seed, parts, batch_size, tokens_per_batch)
    if batch_size is not None:
        return BatchRows(lengths, seed, epochs, batch_size, parts, most_shapes)
    assert tokens_per_batch is not None
    if tokens_per_batch // parts < lengths.max():
        raise RequestError(
            f"train.tokens_per_batch is {tokens_per_batch}, which {parts} replicas and micro-batches share; "
            f"the longest text has {lengths.max()} tokens, so it should be at least {parts * lengths.max()}"
        )
    return TokenRows(lengths, seed, epochs, tokens_per_batch, parts)


def evaluation_steps(
    layout: Layout, lengths: np.ndarray, batch_size: int, parts: int = 1, most_tokens: int | None = None
) -> list[Step]:
    """The steps of an evaluation; every example comes once.

    Args:
        layout: `ragged` or `rows`; rows all have one shape, whatever `batch_size` is.
        lengths: `(examples,)` tokens of each example.
        batch_size: examples that a replica computes at once.
        parts: replicas.
        most_tokens: that a replica computes at once, unless a single example has more, or a row has more than half.
    """
    if not len(lengths):
        return []
    longest = int(lengths.max())
    if layout == "ragged":
        if most_tokens is not None:
            batch_size = min(batch_size, max(1, most_tokens // longest))
        return ragged_steps(evaluation_plan(lengths, batch_size=batch_size * parts), lengths, parts)
    room = max(most_tokens or EVALUATION_SLOTS, 2 * longest) * parts
    return TokenRows(lengths, 0, 1, room, parts).steps(0)
