"""A linear-chain conditional random field over the tags of words (Lafferty et al. 2001).

The score of a sequence of tags is the sum of the words' logits, of a weight for each pair of neighbours, and of one for
the first and one for the last tag. Tags that may not follow each other weigh `NEVER`, so that they never come out. A
softmax over each word by itself is the field whose other weights are 0.

Everything goes along the steps of a `WordGrid`; a new example begins afresh wherever it stands in its lane.
"""

from dataclasses import dataclass
from typing import Any

from keras import ops

from keras_ft.layers.word_grid import WordGrid

Tensor = Any
NEVER = -1e4  # in nats


@dataclass(frozen=True)
class Transitions:
    """The weights besides the logits, float32.

    Attributes:
        between: `(tags, tags)`, of a tag and the one behind it.
        first: `(tags,)`, of the first tag of an example.
        last: `(tags,)`, of its last.
    """

    between: Tensor
    first: Tensor
    last: Tensor

    @classmethod
    def unpacked(cls, packed: Tensor) -> "Transitions":
        """Of `(tags + 2, tags)`: the rows of `between`, then `first`, then `last`."""
        return cls(packed[:-2], packed[-2], packed[-1])


def negative_log_likelihood(logits: Tensor, tags: Tensor, transitions: Transitions, grid: WordGrid) -> Tensor:
    """Nats by word, `(lanes, steps)`, 0 where there is none; over an example they add up to those of all its tags.

    A word's share is what the negative log-likelihood grows by if the text goes on to it.

    Args:
        logits: `(lanes, steps, tags)` float32.
        tags: `(lanes, steps)` int32, the right ones, which may follow each other.
        transitions: the weights.
        grid: of the words.
    """
    alphas = _forward(logits, transitions, grid)
    grown = ops.logsumexp(alphas, axis=-1)  # (lanes, steps), by this word
    tail = ops.logsumexp(alphas + transitions.last, axis=-1) - grown  # if the text ended here
    size = logits.shape[-1]
    right = ops.one_hot(tags, size, dtype="float32")  # (lanes, steps, tags)
    before = _shifted(right)
    between = ops.sum(ops.matmul(before, transitions.between) * right, axis=-1)
    score = ops.sum(logits * right, axis=-1) + ops.where(grid.begins, ops.matmul(right, transitions.first), between)
    last = ops.matmul(right, transitions.last)
    goes_on = ops.logical_not(grid.begins)
    change = tail - last - ops.where(goes_on, _shifted(tail - last), 0.0)
    return ops.where(grid.is_word, grown - score + change, 0.0)


def log_marginals(logits: Tensor, transitions: Transitions, grid: WordGrid) -> Tensor:
    """The log-probability of each tag of each word, `(lanes, steps, tags)`; arguments as above."""
    alphas = _forward(logits, transitions, grid)
    behind = _shifted(logits, -1)

    def step(beta: Tensor, now: Tensor) -> tuple[Tensor, Tensor]:
        logit, ends = _apart(now)  # (lanes, tags) of the word behind, (lanes, 1)
        goes_on = ops.logsumexp(transitions.between + (logit + beta)[:, None, :], axis=-1)
        beta = _normal(ops.where(ends, transitions.last, goes_on))
        return beta, beta

    nothing = ops.zeros_like(logits[:, 0])
    betas = _along_steps(step, nothing, behind, grid.ends, reverse=True)
    return ops.log_softmax(alphas + betas, axis=-1)


def best_tags(logits: Tensor, transitions: Transitions, grid: WordGrid) -> Tensor:
    """The most probable sequence of tags, `(lanes, steps)` int32 (Viterbi 1967); arguments as above."""

    def step(best: Tensor, now: Tensor) -> tuple[Tensor, Tensor]:
        logit, begins = _apart(now)
        goes_on = ops.max(best[:, :, None] + transitions.between, axis=1)  # (lanes, tags)
        best = logit + ops.where(begins, transitions.first, goes_on)
        best = best - ops.max(best, axis=-1, keepdims=True)
        return best, best

    bests = _along_steps(step, ops.zeros_like(logits[:, 0]), logits, grid.begins)
    from_tag = ops.transpose(transitions.between)  # (tags behind, tags)

    def back(tag: Tensor, now: Tensor) -> tuple[Tensor, Tensor]:
        best, ends = _apart(now)
        behind = ops.where(ends, transitions.last, ops.take(from_tag, tag, axis=0))
        tag = ops.cast(ops.argmax(best + behind, axis=-1), "int32")
        return tag, tag

    nothing = ops.cast(ops.zeros_like(logits[:, 0, 0]), "int32")
    return _along_steps(back, nothing, bests, grid.ends, reverse=True)


def _forward(logits: Tensor, transitions: Transitions, grid: WordGrid) -> Tensor:
    """The log of the summed weights of all beginnings by their last tag, `(lanes, steps, tags)`.

    Those of the step before are scaled to add up to 1, so that a long text loses no digits.
    """

    def step(alpha: Tensor, now: Tensor) -> tuple[Tensor, Tensor]:
        logit, begins = _apart(now)
        goes_on = ops.logsumexp(alpha[:, :, None] + transitions.between, axis=1)
        alpha = logit + ops.where(begins, transitions.first, goes_on)
        return _normal(alpha), alpha

    return _along_steps(step, ops.zeros_like(logits[:, 0]), logits, grid.begins)


def _normal(logs: Tensor) -> Tensor:
    return logs - ops.logsumexp(logs, axis=-1, keepdims=True)


def _along_steps(step: Any, begin: Tensor, values: Tensor, flags: Tensor, reverse: bool = False) -> Tensor:
    """What a step makes of the one before, along `(lanes, steps, tags)` values and `(lanes, steps)` flags."""
    together = ops.concatenate([values, ops.cast(flags, values.dtype)[:, :, None]], axis=-1)  # scan wants one tensor
    _, found = ops.scan(step, begin, ops.swapaxes(together, 0, 1), reverse=reverse)
    return ops.swapaxes(found, 0, 1)


def _apart(now: Tensor) -> tuple[Tensor, Tensor]:
    """Values `(lanes, tags)` and flag `(lanes, 1)` bool."""
    return now[:, :-1], now[:, -1:] > 0


def _shifted(values: Tensor, by: int = 1) -> Tensor:
    """`(lanes, steps, …)`, each step with the values of the one before, or behind with -1; 0 at the edge."""
    rest = ((0, 0),) * (len(values.shape) - 2)
    if by > 0:
        return ops.pad(values[:, :-1], ((0, 0), (1, 0), *rest))
    return ops.pad(values[:, 1:], ((0, 0), (0, 1), *rest))
