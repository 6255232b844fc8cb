"""Which token speaks for which word, in texts that may be cut into overlapping windows."""

from typing import NamedTuple

import tensorflow as tf

from keras_ft.text.windows import Windows
from keras_ft.text.words_of_text import TextWords

FURTHER_THAN_ANY_OFFSET = 1 << 32


class WordTokens(NamedTuple):
    """For each token of a batch of texts, flat.

    Attributes:
        is_first: `(tokens,)` bool, whether it is the first of a word.
        starts: `(tokens,)` int32, where that word begins in its text, 0 of other tokens.
        ends: `(tokens,)` int32, exclusive.
    """

    is_first: tf.Tensor
    starts: tf.Tensor
    ends: tf.Tensor


def first_tokens(words: TextWords, starts: tf.RaggedTensor, ends: tf.RaggedTensor) -> WordTokens:
    """The first token of each word. Words that share a token are one; a word without a token is left out.

    Args:
        words: of the texts.
        starts, ends: int32 `(texts, None)`, where the tokens of the texts lie in code points, in their order.
    """
    of_words = _place(words.starts, words.row_splits), _place(words.ends, words.row_splits)
    begin, end = (_place(offsets.values, offsets.row_splits) for offsets in (starts, ends))
    first = tf.searchsorted(of_words[1], begin, side="right", out_type=tf.int64)  # the first word that ends behind it
    last = tf.searchsorted(of_words[0], end, side="left", out_type=tf.int64) - 1  # the last that begins before its end
    last_before = tf.concat([[-1], last[:-1]], 0)[: tf.size(last)]
    is_first = (first <= last) & (first > last_before)  # (tokens,)

    at = tf.where(is_first)  # (found, 1)
    up_to = tf.concat([at[1:, 0], [tf.size(is_first, tf.int64)]], 0)[: tf.shape(at)[0]] - 1
    of_start = tf.gather(words.starts, tf.gather(first, at[:, 0]))  # (found,)
    of_end = tf.gather(words.ends, tf.gather(last, up_to))
    size = tf.shape(is_first, tf.int64)
    return WordTokens(is_first, tf.scatter_nd(at, of_start, size), tf.scatter_nd(at, of_end, size))


def is_best_context(windows: Windows, window: tf.Tensor, place: tf.Tensor) -> tf.Tensor:
    """Whether a token of a window has no more context in another, on the side where it has less.

    A token that two windows have in common is left to one of them, so that each token of a text is taken once.

    Args:
        windows: of the texts.
        window: `(tokens,)` the window of each.
        place: `(tokens,)` int64, its place in its text.
    """
    end = windows.start + windows.length
    follows = tf.concat([[False], windows.text[1:] == windows.text[:-1]], 0)[: tf.size(windows.text)]
    shared = tf.concat([[0], end[:-1] - windows.start[1:]], 0)[: tf.size(end)]  # tokens with the window before
    begin = tf.where(follows, windows.start + (shared + 1) // 2, 0)
    last = tf.concat([tf.where(follows[1:], begin[1:], end[:-1]), end[-1:]], 0)
    return (place >= tf.gather(begin, window)) & (place < tf.gather(last, window))


def _place(offsets: tf.Tensor, row_splits: tf.Tensor) -> tf.Tensor:
    """Offsets in many texts as one rising sequence, int64."""
    row_splits = tf.cast(row_splits, tf.int64)
    text = tf.repeat(tf.range(tf.size(row_splits, tf.int64) - 1), row_splits[1:] - row_splits[:-1])
    return text * FURTHER_THAN_ANY_OFFSET + tf.cast(offsets, tf.int64)
