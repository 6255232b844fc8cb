"""The encoder of BERT and its variants over a flat batch of tokens: no padding outside attention.

Devlin et al. 2019, arXiv:1810.04805.
"""

from typing import Any

from keras import ops

from keras_ft.batch import TokenBatch
from keras_ft.layers.activation import activate
from keras_ft.layers.attention import HeadLayout, self_attention
from keras_ft.layers.dense import dense, layer_norm
from keras_ft.layers.encoder_view import EncoderView
from keras_ft.layers.random import Key, dropout, key_of_site
from keras_ft.layers.recompute import recomputed
from keras_ft.layers.transformer_layer import TransformerLayer

Tensor = Any


def encode(view: EncoderView, batch: TokenBatch, rate: float = 0.0, key: Key | None = None) -> Tensor:
    """Last hidden states of every token.

    Args:
        view: the weights; their type is the compute type.
        batch: the tokens.
        rate: drop-out rate after embeddings, attention probabilities, and both projections of a layer.
        key: random key of this pass, `None` at inference.

    Returns:
        `(tokens, hidden)` in the view's type.
    """
    dtype = view.embeddings_norm[0].dtype
    tokens = ops.shape(batch.ids)[0]
    if key is None:
        batch = batch.in_few_shapes()
    hidden = _embed(view, batch, dtype, rate, key)  # (tokens, hidden)
    layout = HeadLayout.of(batch, view.num_heads, dtype)
    for number, layer in enumerate(view.layers[index] for index in view.order):
        site = key_of_site(key, 1 + number)

        def step(layer: TransformerLayer, hidden: Tensor, site: Key | None = site) -> Tensor:
            return _encode_layer(view, layer, hidden, layout, rate, site)

        hidden = recomputed(step, layer, hidden) if view.recompute else step(layer, hidden)
    return hidden[:tokens] if key is None else hidden


def pool(view: EncoderView, batch: TokenBatch, hidden: Tensor, pooling: str) -> Tensor:
    """One vector a sequence: `(tokens, hidden)` → `(sequences, hidden)`.

    Args:
        view: the weights (of the pooler).
        batch: the tokens.
        hidden: the encoder's output.
        pooling: `mean` over tokens, `first` token, or `pooler` (first token, dense, tanh) where the family has one.
    """
    if pooling == "mean":
        return batch.mean(hidden)
    first = batch.first(hidden)
    if pooling == "first":
        return first
    return ops.tanh(dense(first, view.pooler_kernel, view.pooler_bias))


def _embed(view: EncoderView, batch: TokenBatch, dtype: Any, rate: float, key: Key | None) -> Tensor:
    embedded = ops.take(view.token_embedding, batch.ids, axis=0) + ops.take(
        view.position_embedding, batch.positions, axis=0
    )  # (tokens, embedding)
    if view.segment_embedding is not None:
        embedded = embedded + ops.take(view.segment_embedding, batch.segments, axis=0)
    embedded = layer_norm(ops.cast(embedded, dtype), view.embeddings_norm, view.config.layer_norm_epsilon)
    embedded = dropout(embedded, rate, key_of_site(key, 0))
    if view.projection is None:
        return embedded
    return dense(embedded, *view.projection, key is not None)  # (tokens, hidden)


def _encode_layer(
    view: EncoderView, layer: TransformerLayer, hidden: Tensor, layout: HeadLayout, rate: float, key: Key | None
) -> Tensor:
    epsilon, training = view.config.layer_norm_epsilon, key is not None
    projected = dense(hidden, layer.qkv_kernel, layer.qkv_bias, training)  # (tokens, 3 * hidden)
    attended = self_attention(projected, layout, rate, key_of_site(key, 0))
    attended = dense(attended, layer.attention_kernel, layer.attention_bias, training)
    hidden = layer_norm(hidden + dropout(attended, rate, key_of_site(key, 1)), layer.attention_norm, epsilon)
    wide = dense(hidden, layer.intermediate_kernel, layer.intermediate_bias, training)  # (tokens, intermediate)
    wide = activate(wide, view.config.hidden_act, training)
    narrow = dense(wide, layer.output_kernel, layer.output_bias, training)  # (tokens, hidden)
    return layer_norm(hidden + dropout(narrow, rate, key_of_site(key, 2)), layer.output_norm, epsilon)
