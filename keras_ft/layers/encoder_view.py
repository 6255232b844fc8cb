"""The weights of a keras-hub encoder (BERT and its variants), as tensors to compute with.

RoBERTa (Liu et al. 2019, arXiv:1907.11692) and DistilBERT (Sanh et al. 2019, arXiv:1910.01108) have no segments and no
pooler; ALBERT (Lan et al. 2019, arXiv:1909.11942) and ELECTRA (Clark et al. 2020, arXiv:2003.10555) project narrow
embeddings to the hidden size, and ALBERT's layers share their weights.
"""

from dataclasses import dataclass
from typing import Any

from keras import ops

from keras_ft.layers.arithmetic import Arithmetic
from keras_ft.layers.transformer_layer import TransformerLayer, layer_view

Tensor = Any


@dataclass(frozen=True)
class EncoderView:
    """Effective weights of a whole encoder; what a family does not have is None."""

    config: Arithmetic
    num_heads: int
    token_embedding: Tensor  # (vocabulary, embedding)
    position_embedding: Tensor  # (max_sequence_length, embedding)
    segment_embedding: Tensor  # (segments, embedding), or None
    embeddings_norm: tuple[Tensor, Tensor]
    projection: tuple[Tensor, Tensor] | None  # (embedding, hidden) and (hidden,)
    layers: list[TransformerLayer]
    order: tuple[int, ...]  # which of the layers is applied at each depth; a shared one more than once
    pooler_kernel: Tensor  # (hidden, hidden), or None
    pooler_bias: Tensor
    recompute: bool = False  # the layers' activations in the backward pass, instead of keeping them


def encoder_view(backbone: Any, config: Arithmetic, dtype: str = "float32", recompute: bool = False) -> EncoderView:
    """View the weights of an encoder of `keras_hub.models`, cast to the compute type.

    Embedding tables are not cast as a whole; rows are, once they are looked up. With `recompute` the activations of a
    layer are not kept for the backward pass but computed again there.
    """

    def read(variable: Any) -> Tensor:
        return ops.cast(variable, dtype)

    norm, projection, pooler = backbone.embeddings_layer_norm, projection_of(backbone), pooler_of(backbone)
    segments = segment_embedding_of(backbone)
    return EncoderView(
        config=config,
        num_heads=backbone.num_heads,
        token_embedding=backbone.token_embedding.embeddings,
        position_embedding=position_embedding_of(backbone).position_embeddings,
        segment_embedding=None if segments is None else segments.embeddings,
        embeddings_norm=(read(norm.gamma), read(norm.beta)),
        projection=None if projection is None else (read(projection.kernel), read(projection.bias)),
        layers=[layer_view(layer, read) for layer in encoder_layers(backbone)],
        order=_order(backbone),
        pooler_kernel=None if pooler is None else read(pooler.kernel),
        pooler_bias=None if pooler is None else read(pooler.bias),
        recompute=recompute,
    )


def encoder_variables_by_depth(backbone: Any) -> list[list[Any]]:
    """The variables of an encoder of `keras_hub.models` from the top down: pooler, last layer to first, embeddings."""
    pooler, projection = pooler_of(backbone), projection_of(backbone)
    embeddings = [
        backbone.token_embedding,
        position_embedding_of(backbone),
        segment_embedding_of(backbone),
        backbone.embeddings_layer_norm,
        projection,
    ]
    return [
        [] if pooler is None else pooler.variables,
        *(layer.variables for layer in reversed(encoder_layers(backbone))),
        [variable for layer in embeddings if layer is not None for variable in layer.variables],
    ]


def encoder_layers(backbone: Any) -> list[Any]:
    """The transformer layers that have weights of their own; ALBERT's are those of its groups, one behind the other."""
    layers = backbone.transformer_layers
    return [layer for group in layers for layer in group] if isinstance(layers[0], list) else list(layers)


def position_embedding_of(backbone: Any) -> Any:
    """The layer of the positions, which some families keep within another."""
    return getattr(backbone, "embeddings", backbone).position_embedding


def segment_embedding_of(backbone: Any) -> Any:
    """The layer of the segments; None where there are none."""
    return getattr(backbone, "segment_embedding", None)


def projection_of(backbone: Any) -> Any:
    """The dense layer from the embeddings to the hidden size; None where they are of one size."""
    return getattr(backbone, "embeddings_projection", None)


def pooler_of(backbone: Any) -> Any:
    """The dense layer behind the first token; None where there is none."""
    return getattr(backbone, "pooled_dense", None)


def _order(backbone: Any) -> tuple[int, ...]:
    count = len(encoder_layers(backbone))
    groups = getattr(backbone, "num_groups", None)
    if groups is None:
        return tuple(range(count))
    inner, repeats = count // groups, backbone.num_layers // groups
    return tuple(group * inner + i for group in range(groups) for _ in range(repeats) for i in range(inner))
