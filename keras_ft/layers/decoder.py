"""GPT-2's decoder over a flat batch of tokens: no padding outside attention.

Radford et al. 2019, "Language Models are Unsupervised Multitask Learners".
"""

from typing import Any

from keras import ops

from keras_ft.batch import TokenBatch
from keras_ft.layers.activation import activate
from keras_ft.layers.attention import HeadLayout, self_attention
from keras_ft.layers.dense import dense, layer_norm
from keras_ft.layers.gpt2_view import GPT2View
from keras_ft.layers.kernel_blocks import KernelBlocks
from keras_ft.layers.random import Key, dropout, key_of_site
from keras_ft.layers.recompute import recomputed
from keras_ft.layers.transformer_layer import TransformerLayer

Tensor = Any


def decode(view: GPT2View, batch: TokenBatch, rate: float = 0.0, key: Key | None = None) -> Tensor:
    """Last hidden states of every token, each of which has seen the tokens before it in its sequence.

    Args:
        view: the weights; their type is the compute type.
        batch: the tokens.
        rate: drop-out rate after embeddings, attention probabilities, and both projections of a layer.
        key: random key of this pass, `None` at inference.

    Returns:
        `(tokens, hidden)` in the view's type, behind the final norm.
    """
    tokens = ops.shape(batch.ids)[0]
    if key is None:
        batch = batch.in_few_shapes()
    hidden = dropout(embed(view, batch.ids, batch.positions), rate, key_of_site(key, 0))  # (tokens, hidden)
    layout = HeadLayout.of(batch, view.num_heads, hidden.dtype, causal=True)
    for number, layer in enumerate(view.layers):
        site = key_of_site(key, 1 + number)

        def step(layer: TransformerLayer, hidden: Tensor, site: Key | None = site) -> Tensor:
            return _decode_layer(view, layer, hidden, layout, rate, site)

        hidden = recomputed(step, layer, hidden) if view.recompute else step(layer, hidden)
    return norm_last(view, hidden[:tokens] if key is None else hidden)


def embed(view: GPT2View, ids: Tensor, positions: Tensor) -> Tensor:
    """Token and position embeddings added up: two `(tokens,)` int32 → `(tokens, hidden)` in the view's type."""
    table = view.token_embedding
    tokens = table.columns(ids) if isinstance(table, KernelBlocks) else ops.take(table, ids, axis=0)
    places = ops.take(view.position_embedding, positions, axis=0)
    embedded = ops.cast(tokens, places.dtype) + places
    return ops.cast(embedded, view.final_norm[0].dtype)


def logits_of(view: GPT2View, hidden: Tensor) -> Tensor:
    """What comes next: `(tokens, hidden)` behind the final norm → `(tokens, vocabulary)` float32."""
    table = view.token_embedding
    if isinstance(table, KernelBlocks):
        return ops.cast(table.product(hidden), "float32")
    return ops.cast(ops.matmul(hidden, ops.transpose(ops.cast(table, hidden.dtype))), "float32")


def norm_last(view: GPT2View, hidden: Tensor) -> Tensor:
    """The final norm: `(tokens, hidden)` → the same."""
    return layer_norm(hidden, view.final_norm, view.config.layer_norm_epsilon)


def project(view: GPT2View, layer: TransformerLayer, hidden: Tensor, training: bool = False) -> Tensor:
    """What a layer attends with: `(tokens, hidden)` → `(tokens, heads * 3 * head_dim)`."""
    normed = layer_norm(hidden, layer.attention_norm, view.config.layer_norm_epsilon)
    return dense(normed, layer.qkv_kernel, layer.qkv_bias, training)


def finish_layer(
    view: GPT2View,
    layer: TransformerLayer,
    hidden: Tensor,
    attended: Tensor,
    rate: float = 0.0,
    key: Key | None = None,
) -> Tensor:
    """The rest of a layer behind attention.

    Args:
        view: the weights.
        layer: those of this layer.
        hidden: `(tokens, hidden)`, the layer's input.
        attended: `(tokens, hidden)`, the heads' outputs side by side.
        rate: drop-out rate of both projections.
        key: random key of the layer, `None` at inference.
    """
    training = key is not None
    attended = dense(attended, layer.attention_kernel, layer.attention_bias, training)
    hidden = hidden + dropout(attended, rate, key_of_site(key, 1))
    normed = layer_norm(hidden, layer.output_norm, view.config.layer_norm_epsilon)
    wide = dense(normed, layer.intermediate_kernel, layer.intermediate_bias, training)  # (tokens, intermediate)
    if isinstance(layer.intermediate_kernel, KernelBlocks):  # by itself, an activation is slow in bfloat16
        wide = ops.cast(activate(ops.cast(wide, "float32"), view.config.hidden_act, training), wide.dtype)
    else:
        wide = activate(wide, view.config.hidden_act, training)
    narrow = dense(wide, layer.output_kernel, layer.output_bias, training)  # (tokens, hidden)
    return hidden + dropout(narrow, rate, key_of_site(key, 2))


def _decode_layer(
    view: GPT2View, layer: TransformerLayer, hidden: Tensor, layout: HeadLayout, rate: float, key: Key | None
) -> Tensor:
    projected = project(view, layer, hidden, key is not None)  # (tokens, 3 * hidden)
    return finish_layer(view, layer, hidden, self_attention(projected, layout, rate, key_of_site(key, 0)), rate, key)
