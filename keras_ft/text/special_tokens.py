"""Finding tokens that are written in a text, such as "[MASK]", before anything else looks at it."""

import re
from collections.abc import Sequence

import tensorflow as tf

from keras_ft.errors import RequestError
from keras_ft.text.vocabulary import Vocabulary

FIRST_MARKER = 0xFDD1  # U+FDD0 to U+FDEF are noncharacters, never exchanged between programs
_BRACKET = chr(FIRST_MARKER - 1)
_HARMLESS = chr(0xFDEF)  # where a text holds a noncharacter all the same; no normalizer or vocabulary tells them apart


MOST_TOKENS = ord(_HARMLESS) - FIRST_MARKER


class SpecialTokenMarker(tf.Module):
    """Replaces each of some tokens in a text by one code point of its own.

    Exact case, also inside words, the leftmost and longest first, as Hugging Face does with added special tokens.

    Args:
        vocabulary: holds the tokens.
        ids: of the tokens to look for.

    Raises:
        RequestError: more tokens than there are code points to stand for them.
    """

    def __init__(self, vocabulary: Vocabulary, ids: Sequence[int]):
        super().__init__()
        if len(ids) > MOST_TOKENS:
            raise RequestError(f"{len(ids)} tokens should be found in texts as they are written: at most {MOST_TOKENS}")
        self._tokens = [vocabulary.tokens[i] for i in ids]
        self.code_points = range(FIRST_MARKER, FIRST_MARKER + len(ids))
        with tf.init_scope(), tf.device("CPU:0"):
            self._ids = tf.constant(ids, tf.int32)
            self._widths = tf.constant([len(token) for token in self._tokens], tf.int32)

    def mark(self, texts: tf.Tensor) -> tf.Tensor:
        """Texts `[N]` with a marker for each special token."""
        markers = f"[{_BRACKET}-{chr(self.code_points[-1])}]"
        texts = tf.strings.regex_replace(texts, markers, _HARMLESS)
        # Bracketing all in one pass finds the leftmost and longest; then each has only one reading left.
        longest_first = sorted(self._tokens, key=len, reverse=True)
        any_token = "|".join(re.escape(token) for token in longest_first)
        texts = tf.strings.regex_replace(texts, f"({any_token})", rf"{_BRACKET}\1{_BRACKET}")
        for token, code_point in zip(self._tokens, self.code_points, strict=True):
            texts = tf.strings.regex_replace(texts, re.escape(f"{_BRACKET}{token}{_BRACKET}"), chr(code_point))
        return texts

    def is_marker(self, code_points: tf.Tensor) -> tf.Tensor:
        """Which code points, of any shape, are markers."""
        return (code_points >= self.code_points[0]) & (code_points <= self.code_points[-1])

    def ids(self, code_points: tf.Tensor) -> tf.Tensor:
        """The ids of the special tokens that these markers stand for."""
        return tf.gather(self._ids, code_points - FIRST_MARKER)

    def widths(self, code_points: tf.Tensor) -> tf.Tensor:
        """How many code points of the original text each code point stands for."""
        marker = tf.clip_by_value(code_points, self.code_points[0], self.code_points[-1])
        return tf.where(self.is_marker(code_points), tf.gather(self._widths, marker - FIRST_MARKER), 1)
