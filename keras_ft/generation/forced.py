"""Words that must occur: a text may not end before it holds all of them.

Where the model would end a text, or where there is no more room than they need, the next missing word is written, the
most probable first, whatever the rules say of its tokens. A word that the model wrote by itself counts. One that is
longer than what room is left is left out.
"""

from typing import NamedTuple

import tensorflow as tf

from keras_ft.generation.rules import NEVER, Texts


class Progress(NamedTuple):
    """How far each row is.

    Attributes:
        missing: `(rows, words)` bool.
        word: `(rows,)` int32, the word that is being written, −1 where none is.
        offset: `(rows,)` int32, how many of its tokens are written.
    """

    missing: tf.Tensor
    word: tf.Tensor
    offset: tf.Tensor


class ForcedWords:
    """The words as tokens.

    Args:
        sequences: each at least one token.
        end_id: of the token that ends a text.
    """

    def __init__(self, sequences: list[list[int]], end_id: int):
        self.sequences, self.end_id = sequences, end_id
        longest = max(map(len, sequences))
        self._table = tf.constant([s + [-1] * (longest - len(s)) for s in sequences], tf.int32)  # (words, longest)
        self._lengths = tf.constant([len(s) for s in sequences], tf.int32)

    def start(self, rows: tf.Tensor) -> Progress:
        """Nothing is written yet."""
        none = tf.fill([rows], -1)
        return Progress(tf.fill([rows, len(self.sequences)], True), none, 0 * none)

    def apply(
        self, logits: tf.Tensor, ruled: tf.Tensor, progress: Progress, left: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """The logits with all but what must come forbidden, and the words of which one must begin now.

        Args:
            logits: `(rows, vocabulary)`, the model's own.
            ruled: with the rules in them.
            progress: of the rows.
            left: `(rows,)` int32, how many tokens may still be written.

        Returns:
            `(rows, vocabulary)`, and `(rows, words)` bool.
        """
        fits = progress.missing & (self._lengths <= left[:, None])  # (rows, words)
        needed = tf.reduce_sum(tf.where(fits, self._lengths, 0), axis=1)  # (rows,)
        waits = tf.reduce_any(fits, axis=1)  # (rows,)
        wants_end = tf.argmax(ruled, axis=1, output_type=tf.int32) == self.end_id
        writing = progress.word >= 0
        begins = fits & (~writing & (wants_end | (left <= needed)))[:, None]
        starts = tf.where(begins, self._table[:, 0], -1)  # (rows, words)
        going_on = tf.gather_nd(self._table, tf.stack([tf.maximum(progress.word, 0), progress.offset], axis=1))
        allowed = tf.where(writing[:, None], going_on[:, None], starts)  # (rows, words)
        forced = tf.where(_among(allowed, tf.shape(logits)[1]), logits, NEVER)
        is_end = tf.range(tf.shape(logits)[1]) == self.end_id
        free = tf.where(waits[:, None] & is_end, NEVER, ruled)
        return tf.where((writing | tf.reduce_any(begins, axis=1))[:, None], forced, free), begins

    def after(self, progress: Progress, tokens: tf.Tensor, begins: tf.Tensor, texts: Texts) -> Progress:
        """Where the rows are behind these tokens.

        Args:
            progress: before them.
            tokens: `(rows,)` as chosen.
            begins: `(rows, words)`, what `apply` said.
            texts: with them.
        """
        written = tf.stack(
            [
                tf.reduce_all(texts.last(len(s)) == tf.constant(s, tf.int32), axis=1)
                & (texts.lengths - texts.prompts >= len(s))
                for s in self.sequences
            ],
            axis=1,
        )  # (rows, words)
        missing = progress.missing & ~written
        started = tf.cast(begins & (self._table[:, 0] == tokens[:, None]), tf.int32)
        has_begun = tf.reduce_any(begins, axis=1)
        word = tf.where(has_begun, tf.argmax(started, axis=1, output_type=tf.int32), progress.word)
        offset = tf.where(has_begun, 1, progress.offset + 1)
        done = (word < 0) | (offset >= tf.gather(self._lengths, tf.maximum(word, 0)))
        return Progress(missing, tf.where(done, -1, word), tf.where(done, 0, offset))


def _among(tokens: tf.Tensor, vocabulary: tf.Tensor) -> tf.Tensor:
    """`(rows, some)` ids, −1 for none → `(rows, vocabulary)` bool."""
    rows = tf.broadcast_to(tf.range(tf.shape(tokens)[0])[:, None], tf.shape(tokens))
    places = tf.stack([rows, tf.where(tokens >= 0, tokens, vocabulary)], axis=-1)
    counts = tf.scatter_nd(places, tf.ones_like(tokens), [tf.shape(tokens)[0], vocabulary + 1])
    return counts[:, :-1] > 0
