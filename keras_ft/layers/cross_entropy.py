"""Cross-entropy over classes, with label smoothing and focal weighting, stable in float32."""

from typing import Any

from keras import ops

Tensor = Any


def cross_entropy(logits: Tensor, label: Tensor, smoothing: float = 0.0, gamma: float = 0.0) -> Tensor:
    """Cross-entropy in nats, `(examples,)` float32; gradients stay finite however far apart the logits are.

    Args:
        logits: `(examples, classes)`, of two classes at least.
        label: `(examples,)` integers.
        smoothing: ε: the target is 1 − ε on the label and ε / classes everywhere on top (Szegedy et al. 2016,
            arXiv:1512.00567, section 7).
        gamma: γ: the term of a class of probability p weighs (1 − p)^γ (Lin et al. 2017, arXiv:1708.02002, eq. 4).
    """
    logits = ops.cast(logits, "float32")
    terms = -ops.log_softmax(logits, axis=-1)  # (examples, classes)
    if gamma:
        terms = terms * ops.exp(gamma * log_complement(logits))
    classes = logits.shape[-1]
    target = (1.0 - smoothing) * ops.one_hot(label, classes, dtype="float32") + smoothing / classes
    return ops.sum(target * terms, axis=-1)


def log_complement(logits: Tensor) -> Tensor:
    """log(1 − softmax): `(examples, classes)` → the same.

    For the most probable class 1 − p would cancel to 0, so its complement is summed from the other classes; every
    other p is at most one half.
    """
    is_top = ops.one_hot(ops.argmax(logits, axis=-1), logits.shape[-1], dtype="bool")
    others = ops.where(is_top, -float("inf"), logits)
    of_top = ops.logsumexp(others, axis=-1, keepdims=True) - ops.logsumexp(logits, axis=-1, keepdims=True)
    p = ops.where(is_top, 0.0, ops.softmax(logits, axis=-1))  # a masked 1 would make the gradient infinite
    return ops.where(is_top, of_top, ops.log1p(-p))
