"""The weights of a keras-hub BERT, handed out flat: the only module that touches keras-hub's private attributes.

A view is made anew wherever a forward pass is traced, so that a tuning method, a cast or an export can put
other tensors in place of the variables.
"""

from dataclasses import dataclass
from typing import Any

from keras import ops

Tensor = Any


@dataclass(frozen=True)
class BertConfig:
    """What a checkpoint says about its arithmetic and keras-hub's BertBackbone does not keep.

    Attributes:
        hidden_act: `gelu` (exact), `gelu_new` (tanh approximation, what keras-hub itself computes), `relu`, `silu`.
        layer_norm_epsilon: added to the variance.
    """

    hidden_act: str = "gelu_new"
    layer_norm_epsilon: float = 1e-12


@dataclass(frozen=True)
class BertLayer:
    """Effective weights of one transformer layer; kernels are `(inputs, outputs)`."""

    qkv_kernel: Tensor  # (hidden, heads * 3 * head_dim): a head's projections side by side, as devices share out heads
    qkv_bias: Tensor  # (heads * 3 * head_dim,)
    attention_kernel: Tensor  # (hidden, hidden)
    attention_bias: Tensor
    attention_norm: tuple[Tensor, Tensor]
    intermediate_kernel: Tensor  # (hidden, intermediate)
    intermediate_bias: Tensor
    output_kernel: Tensor  # (intermediate, hidden)
    output_bias: Tensor
    output_norm: tuple[Tensor, Tensor]


@dataclass(frozen=True)
class BertView:
    """Effective weights of a whole BERT encoder."""

    config: BertConfig
    num_heads: int
    token_embedding: Tensor  # (vocabulary, hidden)
    position_embedding: Tensor  # (max_sequence_length, hidden)
    segment_embedding: Tensor  # (segments, hidden)
    embeddings_norm: tuple[Tensor, Tensor]
    layers: list[BertLayer]
    pooler_kernel: Tensor  # (hidden, hidden)
    pooler_bias: Tensor
    recompute: bool = False  # the layers' activations in the backward pass, instead of keeping them


def bert_view(backbone: Any, config: BertConfig, dtype: str = "float32", recompute: bool = False) -> BertView:
    """View the weights of a `keras_hub.models.BertBackbone`, cast to the compute type.

    Embedding tables are not cast as a whole; rows are, once they are looked up. With `recompute` the activations of a
    layer are not kept for the backward pass but computed again there.
    """

    def read(variable: Any) -> Tensor:
        return ops.cast(variable, dtype)

    norm = backbone.embeddings_layer_norm
    return BertView(
        config=config,
        num_heads=backbone.num_heads,
        token_embedding=backbone.token_embedding.embeddings,
        position_embedding=backbone.position_embedding.position_embeddings,
        segment_embedding=backbone.segment_embedding.embeddings,
        embeddings_norm=(read(norm.gamma), read(norm.beta)),
        layers=[_layer_view(layer, read) for layer in backbone.transformer_layers],
        pooler_kernel=read(backbone.pooled_dense.kernel),
        pooler_bias=read(backbone.pooled_dense.bias),
        recompute=recompute,
    )


def variables_by_depth(backbone: Any) -> list[list[Any]]:
    """The variables of a `keras_hub.models.BertBackbone` from the top down: pooler, last layer to first, embeddings."""
    embeddings = [
        backbone.token_embedding,
        backbone.position_embedding,
        backbone.segment_embedding,
        backbone.embeddings_layer_norm,
    ]
    return [
        backbone.pooled_dense.variables,
        *(layer.variables for layer in reversed(backbone.transformer_layers)),
        [variable for layer in embeddings for variable in layer.variables],
    ]


def layer_variables(layer: Any) -> list[tuple[str, Any, Any]]:
    """The pairs of variables of a transformer layer, each under the name that BERT's authors gave it.

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


def _layer_view(layer: Any, read: Any) -> BertLayer:
    parts = {name: (read(first), read(second)) for name, first, second in layer_variables(layer)}
    queries_keys_values = [parts[f"attention.self.{name}"] for name in ("query", "key", "value")]
    attention_kernel, attention_bias = parts["attention.output.dense"]  # (heads, head_dim, hidden)
    hidden = attention_kernel.shape[-1]
    return BertLayer(
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
