"""What a decoder remembers of the tokens it has read: keys and values, which grow with the text and are never copied.

A key or value of a new token is written into the memory of the tensor that holds the others, which nobody else sees
(docs/decisions/012). When all places are taken, the tensors grow by a stretch of them, so that attention covers little
more than what was written, however much the model has room for.
"""

from dataclasses import replace
from typing import NamedTuple

import tensorflow as tf

from keras_ft.batch import TokenBatch
from keras_ft.layers.attention import PROJECTIONS, HeadLayout, attend
from keras_ft.layers.decoder import embed, finish_layer, norm_last, project
from keras_ft.layers.gpt2_view import GPT2View
from keras_ft.layers.kernel_blocks import transposed
from keras_ft.layers.task_model import map_tensors

STRETCH = 32  # places


class Cache(NamedTuple):
    """Keys and values of each layer, `(rows * heads, places, head_dim)`; a token's place is its position."""

    keys: list[tf.Tensor]
    values: list[tf.Tensor]

    @property
    def places(self) -> tf.Tensor:
        """How many tokens a row has room for."""
        return tf.shape(self.keys[0])[1]

    def grown(self) -> "Cache":
        """With room for another stretch, or for an eighth more, up to a multiple of a stretch."""
        more = tf.maximum(STRETCH, self.places // 8 // STRETCH * STRETCH)
        more -= self.places % STRETCH
        padding = [[0, 0], [0, more], [0, 0]]
        return Cache(*([tf.pad(tensor, padding) for tensor in tensors] for tensors in self))

    def in_float32(self) -> "Cache":
        """With numbers in float32."""
        return Cache(*([tf.cast(tensor, tf.float32) for tensor in tensors] for tensors in self))

    def rows(self, indices: tf.Tensor, num_heads: int) -> "Cache":
        """The rows at `indices` `(new rows,)`, in that order; they may repeat."""
        heads = tf.reshape(indices[:, None] * num_heads + tf.range(num_heads), [-1])
        return Cache(*([tf.gather(tensor, heads) for tensor in tensors] for tensors in self))


def read_prompts(view: GPT2View, ids: tf.RaggedTensor) -> tuple[tf.Tensor, Cache]:
    """Read whole prompts, without padding outside attention.

    Args:
        view: the weights.
        ids: int32 `[rows, None]`, at least one in a row.

    Returns:
        The hidden state of each prompt's last token, `(rows, hidden)` behind the final norm, and the cache, with room
        for the longest prompt at least.
    """
    lengths = tf.cast(ids.row_lengths(), tf.int32)
    prompts = TokenBatch.from_lengths(ids.values, lengths)
    last = prompts.first_token + lengths - 1  # (rows,)
    # The cache has a row for each prompt, and none more.
    batch = replace(prompts.in_few_shapes(), first_token=prompts.first_token, num_sequences=prompts.num_sequences)
    hidden = embed(_read(view), batch.ids, batch.positions)  # (tokens, hidden)
    layout = HeadLayout.of(batch, view.num_heads, hidden.dtype, causal=True)
    cache = Cache([], [])
    for number, layer in enumerate(view.layers):
        heads = layout.to_heads(project(view, layer, hidden))  # (3, rows, heads, longest, head_dim)
        queries, keys, values = tf.unstack(heads, PROJECTIONS)
        attended = layout.from_heads(attend(queries, keys, values, layout.mask))
        if number == len(view.layers) - 1:  # of the last layer, nobody asks for more
            hidden, attended = tf.gather(hidden, last), tf.gather(attended, last)
        hidden = finish_layer(view, layer, hidden, attended)
        shape = [-1, batch.longest, keys.shape[-1]]
        cache.keys.append(tf.reshape(keys, shape))
        cache.values.append(tf.reshape(values, shape))
    return norm_last(view, hidden), cache


def read_next(view: GPT2View, tokens: tf.Tensor, positions: tf.Tensor, cache: Cache) -> tuple[tf.Tensor, Cache]:
    """Read the next tokens of each row.

    Args:
        view: the weights.
        tokens: `(rows, count)` int32, the count static; if the rows are too, their number is not computed again.
        positions: `(rows, count)` int32, where each stands in its row; the cache has room there. Beyond the model's
            last position, hidden states mean nothing.
        cache: of the tokens before, in the type that attention shall compute in; must not be used again.

    Returns:
        Hidden states `(rows * count, hidden)` behind the final norm, and the cache with these tokens in it.
    """
    heads, rows, count = view.num_heads, tf.shape(tokens)[0], tokens.shape[1]
    known = tf.minimum(tf.reshape(positions, [-1]), view.position_embedding.shape[0] - 1)
    hidden = embed(_read(view), tf.reshape(tokens, [-1]), known)  # (rows * count, hidden)
    head_dim = hidden.shape[-1] // heads
    seen = tf.range(cache.places) <= positions[..., None]  # (rows, count, places)
    mask = tf.where(seen, 0.0, -1e9)[:, None]  # (rows, 1, count, places)
    place = tf.range(rows * heads)[:, None] * cache.places + tf.repeat(positions, heads, axis=0)
    scale = tf.cast(head_dim**-0.5, cache.keys[0].dtype)
    after = Cache([], [])
    for layer, keys, values in zip(view.layers, cache.keys, cache.values, strict=True):
        projected = tf.reshape(project(view, layer, hidden), [rows, count, heads, PROJECTIONS * head_dim])
        projected = tf.cast(_swapped(projected, count), keys.dtype)
        projected = tf.reshape(projected, [rows * heads, count, PROJECTIONS, head_dim])
        query, key, value = tf.unstack(projected, PROJECTIONS, axis=2)  # (rows * heads, count, head_dim)
        keys, values = _written(keys, place, key), _written(values, place, value)
        scores = _product(query * scale, keys, transposed=True)  # (rows * heads, count, places)
        scores = tf.cast(tf.reshape(scores, [rows, heads, count, -1]), tf.float32) + mask
        probabilities = tf.cast(_softmax(scores), values.dtype)  # (rows, heads, count, places)
        mixed = _product(
            tf.reshape(probabilities, [rows * heads, count, -1]), values
        )  # (rows * heads, count, head_dim)
        mixed = tf.cast(_swapped(tf.reshape(mixed, [rows, heads, count, head_dim]), count), hidden.dtype)
        hidden = finish_layer(view, layer, hidden, tf.reshape(mixed, [rows * count, heads * head_dim]))
        after.keys.append(keys)
        after.values.append(values)
    return norm_last(view, hidden), after


def _swapped(values: tf.Tensor, count: int) -> tf.Tensor:
    """The axes of tokens, `count` of them, and of heads: `(rows, one, other, …)` → `(rows, other, one, …)`."""
    return values if count == 1 else transposed(values, (0, 2, 1, 3))  # of one token, what is behind this reshapes


def _product(first: tf.Tensor, second: tf.Tensor, transposed: bool = False) -> tf.Tensor:
    """Of each matrix of a batch with its own or its transpose: `(batch, count, inputs)` → `(batch, count, outputs)`."""
    if first.dtype != tf.float32:
        return tf.matmul(first, second, transpose_b=transposed)
    # TensorFlow hands its other products to oneDNN, which takes up to four times as long for float32 ones so small.
    return tf.raw_ops.BatchMatMulV3(x=first, y=second, Tout=tf.float32, adj_y=transposed)


def _softmax(scores: tf.Tensor) -> tf.Tensor:
    """Over the last axis. For so few, operations one by one take less time than TensorFlow's own."""
    exponentials = tf.exp(scores - tf.reduce_max(scores, axis=-1, keepdims=True))
    return exponentials / tf.reduce_sum(exponentials, axis=-1, keepdims=True)


def _read(view: GPT2View) -> GPT2View:
    """With tensors for tables: TensorFlow copies a variable that rows were looked up in wherever it is read whole."""
    tables = {name: getattr(view, name) for name in ("token_embedding", "position_embedding")}
    return replace(
        view, **{name: map_tensors(table, lambda _, t: tf.convert_to_tensor(t)) for name, table in tables.items()}
    )


def _written(tensor: tf.Tensor, place: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
    """The same memory with other rows: `(batch, places, head_dim)`, `(batch, count)`, `(batch, count, head_dim)`."""
    flat = [-1, tensor.shape[-1]]
    updated = tf.raw_ops.InplaceUpdate(x=tf.reshape(tensor, flat), i=tf.reshape(place, [-1]), v=tf.reshape(rows, flat))
    return tf.reshape(updated, [tf.shape(rows)[0], -1, tensor.shape[-1]])
