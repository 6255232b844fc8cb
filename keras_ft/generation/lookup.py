"""Guesses of what comes next, looked up in the text so far.

For one text, a step takes as long as the weights take to be read, and reads a few tokens in hardly more time than one.
So where the last tokens occurred before, what came behind them there is read along with the last one. Of those guesses
as many are kept as are what is chosen anyway: each token is still chosen from the logits behind all tokens before it.
Yang et al. 2023, arXiv:2304.04487.
"""

from typing import NamedTuple

import tensorflow as tf

from keras_ft.generation.rules import Texts


class Guess(NamedTuple):
    """What may come next in a text.

    Attributes:
        tokens: `(count,)` int32.
        found: bool, whether they are more than anything.
    """

    tokens: tf.Tensor
    found: tf.Tensor


def look_up(texts: Texts, count: int) -> Guess:
    """Guess the next tokens of one text from where its last two occurred last, or, where they did not, its last one.

    What has come since then is taken to repeat itself, over and over if need be.

    Args:
        texts: one row.
        count: of the tokens to guess.
    """
    ids, length = tf.reshape(texts.ids, [-1]), texts.lengths[0]
    room = tf.size(ids)
    last = tf.reshape(texts.last(2), [2])
    before = tf.concat([[-1, -1], ids], 0)  # at `place + 1` the token before a place, at `place` the one before that
    places = tf.range(room)
    after_last = (before[1:-1] == last[1]) & (places < length)
    after_both = after_last & (before[:-2] == last[0])
    start = tf.reduce_max(tf.where(after_last, places + tf.where(after_both, room, 0), 0)) % room
    return Guess(tf.gather(ids, start + tf.range(count) % (length - start)), start > 0)
