"""Losses on vectors of texts: which should lie near each other, and which should not."""

from typing import Any

from keras import ops

Tensor = Any
SMALLEST = 1e-12  # of a squared norm: a vector of zeros stays one, and its gradient finite
NO_CANDIDATE = -1e9  # a logit; of infinities a row without candidates would make NaN


def unit(vectors: Tensor) -> Tensor:
    """Vectors of length 1, `(…, hidden)` float32."""
    vectors = ops.cast(vectors, "float32")
    return vectors * ops.rsqrt(ops.maximum(ops.sum(ops.square(vectors), axis=-1, keepdims=True), SMALLEST))


def cosine(one: Tensor, other: Tensor) -> Tensor:
    """Cosine similarity of rows: two of `(examples, hidden)` → `(examples,)` float32."""
    return ops.sum(unit(one) * unit(other), axis=-1)


def ranking_loss(anchor: Tensor, candidates: Tensor, stands: Tensor, scale: float) -> Tensor:
    """Cross-entropy in nats of finding each anchor's own candidate among all, `(examples,)`.

    Henderson et al. 2017, arXiv:1705.00652, section 4.4, with the cosine in place of the dot product; with `1 / scale`
    as the temperature also SimCSE's (Gao et al. 2021, arXiv:2104.08821, eq. 1).

    Args:
        anchor: `(examples, hidden)`.
        candidates: `(candidates, hidden)`; the first of them are the anchors' own, in their order.
        stands: `(examples, candidates)` bool: which candidates an anchor is held against; its own among them.
        scale: what cosines are multiplied by.
    """
    logits = scale * ops.matmul(unit(anchor), ops.transpose(unit(candidates)))  # (examples, candidates)
    logits = ops.where(stands, logits, NO_CANDIDATE)
    own = scale * cosine(anchor, candidates[: ops.shape(anchor)[0]])
    return ops.logsumexp(logits, axis=-1) - own


def triplet_loss(anchor: Tensor, positive: Tensor, negative: Tensor, margin: float) -> Tensor:
    """How far the negative is from being less similar than the positive by a margin: `(examples,)`.

    Schroff et al. 2015, arXiv:1503.03832, eq. 2, in cosines.

    Args:
        anchor, positive, negative: `(examples, hidden)`.
        margin: of cosines.
    """
    return ops.relu(margin + cosine(anchor, negative) - cosine(anchor, positive))
