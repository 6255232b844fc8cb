"""Strings that end a text, found among its bytes while it is written."""

import re

import tensorflow as tf


class StopStrings:
    """Looks for strings in the texts that tokens say, wherever tokens begin and end.

    Args:
        strings: at least one, none empty.
        said: `(vocabulary,)` what each token says, in bytes.
    """

    def __init__(self, strings: list[str], said: tf.Tensor):
        patterns = "|".join(map(re.escape, strings))
        self._found, self._rest = rf"\C*(?:{patterns})\C*", rf"(?:{patterns})\C*"
        longest = int(tf.reduce_max(tf.strings.length(said)))
        self._width = max(len(string.encode()) for string in strings) + longest  # bytes
        self._said = said

    def start(self, rows: tf.Tensor) -> tf.Tensor:
        """What was said last, nothing yet: `(rows,)` strings."""
        return tf.fill([rows], "")

    def after(self, tail: tf.Tensor, tokens: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """What was said last with these tokens, and whether a string is in it.

        Args:
            tail: `(rows,)` strings before them.
            tokens: `(rows,)` int32.
        """
        tail = tail + tf.gather(self._said, tokens)
        start = tf.maximum(tf.strings.length(tail) - self._width, 0)
        tail = tf.strings.substr(tail, start, tf.fill(tf.shape(start), self._width))
        return tail, tf.strings.regex_full_match(tail, self._found)

    def cut(self, texts: tf.Tensor) -> tf.Tensor:
        """Texts `(rows,)` up to the first of the strings."""
        return tf.strings.regex_replace(texts, self._rest, "", replace_global=False)
