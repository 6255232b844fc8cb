"""Choosing the next token: the most probable one, or one that is drawn."""

from collections.abc import Callable

import tensorflow as tf

from keras_ft.generation.rules import NEVER
from keras_ft.generation.settings import Settings

CANDIDATES = 256  # enough for nearly every `top_p`; where it is not, the whole vocabulary is sorted


def most_probable(logits: tf.Tensor) -> tf.Tensor:
    """`(rows, vocabulary)` → `(rows,)` int32, the first of equals."""
    return tf.argmax(logits, axis=1, output_type=tf.int32)


def log_probability(logits: tf.Tensor, tokens: tf.Tensor) -> tf.Tensor:
    """Of a token of each row, in nats: `(rows, vocabulary)` float32 and `(rows,)` int32 → `(rows,)` float32."""
    # By the most probable token, whose probability is never too small for a logarithm: softmax is one pass.
    best = most_probable(logits)
    of_best = tf.math.log(tf.gather(tf.nn.softmax(logits), best, batch_dims=1))
    return of_best + tf.gather(logits, tokens, batch_dims=1) - tf.gather(logits, best, batch_dims=1)


def numbers_to_draw_with(seeds: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
    """Uniform numbers in [0, 1) for every step: `(rows,)` int32 → `(rows, count)` float32.

    A row's numbers hang on its seed alone, and a step's neither on the rows beside it nor on how many steps there are.
    """
    one_more = tf.concat([seeds, [0]], 0)  # nothing cannot be mapped
    numbers = tf.map_fn(
        lambda seed: tf.random.stateless_uniform([count], tf.stack([seed, 0])), one_more, fn_output_signature=tf.float32
    )
    return numbers[:-1]


def drawn(logits: tf.Tensor, settings: Settings, number: tf.Tensor) -> tf.Tensor:
    """A token of each row, drawn as its settings say; where the temperature is 0, the most probable one.

    The tokens that may be drawn are the `top_k` most probable, of those the fewest that together have `top_p` of their
    probability (Holtzman et al. 2020, arXiv:1904.09751, section 3.1).

    Args:
        logits: `(rows, vocabulary)` float32.
        settings: of the rows.
        number: `(rows,)` in [0, 1), what the draw is made with.

    Returns:
        `(rows,)` int32.
    """
    cold = settings.temperature == 0
    below = logits - tf.reduce_max(logits, axis=1, keepdims=True)  # at most 0: a low temperature overflows nothing
    scaled = below / tf.where(cold, 1.0, settings.temperature)[:, None]
    scaled = tf.where(below < NEVER / 2, float("-inf"), scaled)  # no temperature allows what is forbidden
    free = _unfiltered(settings) & ~cold
    filters = ~free & ~cold
    token = most_probable(logits)
    token = _where(filters, lambda: _from_the_best(scaled, settings, number), token)
    return _where(free, lambda: _from_all(scaled, number), token)


def _where(rows: tf.Tensor, value: Callable[[], tf.Tensor], other: tf.Tensor) -> tf.Tensor:
    """`value()` in some rows, computed only if there are any."""
    return tf.cond(tf.reduce_any(rows), lambda: tf.where(rows, value(), other), lambda: other)


def _from_all(logits: tf.Tensor, number: tf.Tensor) -> tf.Tensor:
    return _place(tf.cumsum(tf.exp(logits), axis=1), number)


def _from_the_best(logits: tf.Tensor, settings: Settings, number: tf.Tensor) -> tf.Tensor:
    vocabulary = tf.shape(logits)[1]
    wanted = tf.minimum(tf.where(settings.top_k > 0, settings.top_k, vocabulary), vocabulary)  # (rows,)
    few = tf.minimum(CANDIDATES, vocabulary)
    # Where `top_k` leaves all, the few best are enough if they have more than `top_p` of all probability.
    of_all = tf.reduce_logsumexp(logits, axis=1)
    mass = tf.exp(tf.reduce_logsumexp(tf.math.top_k(logits, few)[0], axis=1) - of_all)
    enough = (wanted <= few) | ((settings.top_k == 0) & (mass > settings.top_p)) | _unfiltered(settings)
    values, tokens = tf.math.top_k(logits, tf.where(tf.reduce_all(enough), few, vocabulary))  # falling
    allowed = tf.range(tf.shape(values)[1]) < wanted[:, None]
    of_best = tf.reduce_logsumexp(tf.where(allowed, values, float("-inf")), axis=1)
    whole = tf.where(settings.top_k > 0, of_best, of_all)
    share = tf.where(allowed, tf.exp(values - whole[:, None]), 0.0)  # (rows, count)
    before = tf.cumsum(share, axis=1, exclusive=True)
    share = tf.where(before < settings.top_p[:, None], share, 0.0)
    return tf.gather(tokens, _place(tf.cumsum(share, axis=1), number), batch_dims=1)


def _unfiltered(settings: Settings) -> tf.Tensor:
    return (settings.top_k == 0) & (settings.top_p == 1)


def _place(reached: tf.Tensor, number: tf.Tensor) -> tf.Tensor:
    """The first place of `(rows, places)`, rising, that is above this share of the last: `(rows,)` int32."""
    place = tf.reduce_sum(tf.cast(reached <= number[:, None] * reached[:, -1:], tf.int32), axis=1)
    return tf.minimum(place, tf.reduce_sum(tf.cast(reached < reached[:, -1:], tf.int32), axis=1))
