"""Binary cross-entropy over labels that do not exclude each other, stable in float32."""

from collections.abc import Sequence
from typing import Any

from keras import ops

Tensor = Any


def binary_cross_entropy(
    logits: Tensor, present: Tensor, positive_weight: Sequence[float] | None = None, gamma: float = 0.0
) -> Tensor:
    """The mean over labels of the cross-entropy in nats, `(examples,)` float32.

    The mean over examples is thus what torch's `BCEWithLogitsLoss` gives, and with it transformers.

    Args:
        logits: `(examples, labels)`; a label's probability is their sigmoid.
        present: `(examples, labels)`, 1 or true where an example has a label.
        positive_weight: `(labels,)` what the term of a label that is present weighs (torch's `pos_weight`); 1 if not
            given.
        gamma: γ: the term of an answer of probability p weighs (1 − p)^γ (Lin et al. 2017, arXiv:1708.02002, eq. 4).
    """
    logits, present = ops.cast(logits, "float32"), ops.cast(present, "float32")
    if_present, if_absent = ops.softplus(-logits), ops.softplus(logits)  # −log p and −log(1 − p)
    positive, negative = present * if_present, (1.0 - present) * if_absent
    if gamma:
        positive, negative = positive * ops.exp(-gamma * if_absent), negative * ops.exp(-gamma * if_present)
    if positive_weight is not None:
        positive = positive * ops.convert_to_tensor(positive_weight, dtype="float32")
    return ops.mean(positive + negative, axis=-1)
