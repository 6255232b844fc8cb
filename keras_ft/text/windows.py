"""Long texts as several overlapping windows, each a sequence of its own, in the graph."""

from typing import NamedTuple

import tensorflow as tf

from keras_ft.text.ranges import ranges


class Windows(NamedTuple):
    """Where the windows of texts lie.

    Attributes:
        text: `(windows,)` int32, the text of each; the windows of a text stand one behind the other.
        start: `(windows,)` int64, its first token in its text.
        length: `(windows,)` int64, its tokens; 0 only where the text has none.
        counts: `(texts,)` int64, how many windows each text has, at least 1.
    """

    text: tf.Tensor
    start: tf.Tensor
    length: tf.Tensor
    counts: tf.Tensor

    def tokens(self, row_starts: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """The tokens of all windows, one behind the other.

        Args:
            row_starts: `(texts,)` int64, where each text begins among the flat tokens.

        Returns:
            Indices into the flat tokens `(tokens of the windows,)`, and row splits by window `(windows + 1,)`.
        """
        return ranges(tf.gather(row_starts, self.text) + self.start, self.length)


def windows(lengths: tf.Tensor, room: tf.Tensor, stride: int | tf.Tensor) -> Windows:
    """Cut texts into windows, each as full as can be but the last.

    Args:
        lengths: `(texts,)` int64 tokens of each text.
        room: `(texts,)` int64, the most tokens of a window of each, at least 1.
        stride: how many tokens two neighbours share, as Hugging Face calls it, one number or `(texts,)` int64; where
            `room` is not larger, one less than `room`.
    """
    lengths, room = tf.cast(lengths, tf.int64), tf.cast(room, tf.int64)
    step = room - tf.minimum(tf.cast(stride, tf.int64), room - 1)  # (texts,), at least 1
    counts = 1 + tf.maximum(lengths - room + step - 1, 0) // step
    text = tf.repeat(tf.range(tf.size(counts)), counts)  # (windows,)
    number = tf.range(tf.size(text, tf.int64)) - tf.gather(tf.cumsum(counts, exclusive=True), text)
    start = number * tf.gather(step, text)
    return Windows(text, start, tf.minimum(tf.gather(lengths, text) - start, tf.gather(room, text)), counts)
