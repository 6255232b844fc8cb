"""What a checkpoint says about its arithmetic and keras-hub's backbones do not keep."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Arithmetic:
    """Settings of a forward pass that are no weights; the defaults are what keras-hub's BertBackbone computes.

    Attributes:
        hidden_act: `gelu` (exact), `gelu_new` (tanh approximation, what keras-hub itself computes), `relu`, `silu`.
        layer_norm_epsilon: added to the variance.
    """

    hidden_act: str = "gelu_new"
    layer_norm_epsilon: float = 1e-12


GPT2_ARITHMETIC = Arithmetic("gelu_new", 1e-5)  # what keras-hub's GPT2Backbone computes
