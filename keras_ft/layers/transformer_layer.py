"""The weights of one of keras-hub's transformer layers, handed out flat: the only place that touches its private names.

A view is made anew wherever a forward pass is traced, so that a tuning method, a cast or an export can put
other tensors in place of the variables.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from keras import ops

Tensor = Any


@dataclass(frozen=True)
class TransformerLayer:
    """Effective weights of one layer; kernels are `(inputs, outputs)`, or KernelBlocks where text is written.

    BERT applies a norm behind attention and one behind the feed-forward, GPT-2 before either.
    """

    qkv_kernel: Any  # (hidden, heads * 3 * head_dim): a head's projections side by side, as devices share out heads
    qkv_bias: Tensor  # (heads * 3 * head_dim,)
    attention_kernel: Any  # (hidden, hidden)
    attention_bias: Tensor
    attention_norm: tuple[Tensor, Tensor]
    intermediate_kernel: Any  # (hidden, intermediate)
    intermediate_bias: Tensor
    output_kernel: Any  # (intermediate, hidden)
    output_bias: Tensor
    output_norm: tuple[Tensor, Tensor]


def layer_variables(layer: Any) -> list[tuple[str, Any, Any]]:
    """The pairs of variables of a TransformerEncoder or TransformerDecoder, under the names of BERT's authors.

    Returns:
        `(name, kernel, bias)`, or `(name, gamma, beta)` for a layer norm.
    """
    attention = layer._self_attention_layer
    parts = {
        "attention.self.query": attention._query_dense,
        "attention.self.key": attention._key_dense,
        "attention.self.value": attention._value_dense,
        "attention.output.dense": attention._output_dense,
        "intermediate.dense": layer._feedforward_intermediate_dense,
        "output.dense": layer._feedforward_output_dense,
    }
    norms = {
        "attention.output.LayerNorm": layer._self_attention_layer_norm,
        "output.LayerNorm": layer._feedforward_layer_norm,
    }
    dense_pairs = [(name, part.kernel, part.bias) for name, part in parts.items()]
    return dense_pairs + [(name, norm.gamma, norm.beta) for name, norm in norms.items()]


def layer_view(layer: Any, read: Callable[[Any], Tensor]) -> TransformerLayer:
    """View the weights of a layer.

    Args:
        layer: a TransformerEncoder or TransformerDecoder.
        read: a variable → the tensor to compute with.
    """
    parts = {name: (read(first), read(second)) for name, first, second in layer_variables(layer)}
    queries_keys_values = [parts[f"attention.self.{name}"] for name in ("query", "key", "value")]
    attention_kernel, attention_bias = parts["attention.output.dense"]  # (heads, head_dim, hidden)
    hidden = attention_kernel.shape[-1]
    return TransformerLayer(
        qkv_kernel=ops.reshape(ops.stack([k for k, _ in queries_keys_values], axis=2), (hidden, 3 * hidden)),
        qkv_bias=ops.reshape(ops.stack([b for _, b in queries_keys_values], axis=1), (3 * hidden,)),
        attention_kernel=ops.reshape(attention_kernel, (hidden, hidden)),
        attention_bias=attention_bias,
        attention_norm=parts["attention.output.LayerNorm"],
        intermediate_kernel=parts["intermediate.dense"][0],
        intermediate_bias=parts["intermediate.dense"][1],
        output_kernel=parts["output.dense"][0],
        output_bias=parts["output.dense"][1],
        output_norm=parts["output.LayerNorm"],
    )
