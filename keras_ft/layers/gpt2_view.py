"""The weights of a keras-hub GPT-2, as tensors to compute with."""

from dataclasses import dataclass, replace
from typing import Any

from keras import ops

from keras_ft.layers.arithmetic import Arithmetic
from keras_ft.layers.kernel_blocks import KernelBlocks
from keras_ft.layers.transformer_layer import TransformerLayer, layer_view

Tensor = Any
KERNELS = ("qkv_kernel", "attention_kernel", "intermediate_kernel", "output_kernel")


@dataclass(frozen=True)
class GPT2View:
    """Effective weights of a whole GPT-2 decoder; its token embedding is also its output layer."""

    config: Arithmetic
    num_heads: int
    token_embedding: Any  # (vocabulary, hidden), or KernelBlocks of its transpose, the output layer
    position_embedding: Tensor  # (max_sequence_length, hidden)
    layers: list[TransformerLayer]
    final_norm: tuple[Tensor, Tensor]
    recompute: bool = False  # the layers' activations in the backward pass, instead of keeping them


def gpt2_view(backbone: Any, config: Arithmetic, dtype: str = "float32", recompute: bool = False) -> GPT2View:
    """View the weights of a `keras_hub.models.GPT2Backbone`, cast to the compute type.

    Embedding tables are not cast as a whole; rows are, once they are looked up, and the whole where it gives logits.
    With `recompute` the activations of a layer are not kept for the backward pass but computed again there.
    """

    def read(variable: Any) -> Tensor:
        return ops.cast(variable, dtype)

    return GPT2View(
        config=config,
        num_heads=backbone.num_heads,
        token_embedding=backbone.token_embedding.embeddings,
        position_embedding=backbone.position_embedding.position_embeddings,
        layers=[layer_view(layer, read) for layer in backbone.transformer_layers],
        final_norm=(read(backbone.layer_norm.gamma), read(backbone.layer_norm.beta)),
        recompute=recompute,
    )


def for_generation(view: GPT2View) -> GPT2View:
    """A view whose kernels and table of tokens are laid out as writing reads them, token after token."""

    def in_blocks(layer: TransformerLayer) -> TransformerLayer:
        kernels: dict[str, Any] = {name: KernelBlocks.of(getattr(layer, name)) for name in KERNELS}
        return replace(layer, **kernels)

    table = ops.transpose(ops.cast(view.token_embedding, view.final_norm[0].dtype))
    return replace(view, token_embedding=KernelBlocks.of(table), layers=[in_blocks(layer) for layer in view.layers])


def gpt2_variables_by_depth(backbone: Any) -> list[list[Any]]:
    """The variables of a `keras_hub.models.GPT2Backbone` top down: final norm, last layer to first, embeddings."""
    return [
        backbone.layer_norm.variables,
        *(layer.variables for layer in reversed(backbone.transformer_layers)),
        [*backbone.token_embedding.variables, *backbone.position_embedding.variables],
    ]
