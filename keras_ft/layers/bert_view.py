"""The weights of a keras-hub BERT, as tensors to compute with."""

from dataclasses import dataclass
from typing import Any

from keras import ops

from keras_ft.layers.arithmetic import Arithmetic
from keras_ft.layers.transformer_layer import TransformerLayer, layer_view

Tensor = Any


@dataclass(frozen=True)
class BertView:
    """Effective weights of a whole BERT encoder."""

    config: Arithmetic
    num_heads: int
    token_embedding: Tensor  # (vocabulary, hidden)
    position_embedding: Tensor  # (max_sequence_length, hidden)
    segment_embedding: Tensor  # (segments, hidden)
    embeddings_norm: tuple[Tensor, Tensor]
    layers: list[TransformerLayer]
    pooler_kernel: Tensor  # (hidden, hidden)
    pooler_bias: Tensor
    recompute: bool = False  # the layers' activations in the backward pass, instead of keeping them


def bert_view(backbone: Any, config: Arithmetic, dtype: str = "float32", recompute: bool = False) -> BertView:
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
        layers=[layer_view(layer, read) for layer in backbone.transformer_layers],
        pooler_kernel=read(backbone.pooled_dense.kernel),
        pooler_bias=read(backbone.pooled_dense.bias),
        recompute=recompute,
    )


def bert_variables_by_depth(backbone: Any) -> list[list[Any]]:
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
