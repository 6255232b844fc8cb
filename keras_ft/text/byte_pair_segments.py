"""Finding tokens that are written in a text, such as "<mask>", before anything splits it into words."""

import re
from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf
import tensorflow_text as tf_text

from keras_ft.text.ranges import ranges

_WHITE = r"[\t-\r \x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}]*"

# The op that splits reads a text up to its first NUL: these noncharacters stand for that, and for the first of them.
_ESCAPE, _NUL, _ITSELF = "\ufdd0", "\ufdd0\ufdd1", "\ufdd0\ufdd2"


class Segments(NamedTuple):
    """Texts cut round the tokens found in them.

    `texts [S]` strings, none empty; `ids [S]` int32, that of the token which a segment is, else -1; `row_splits
    [N + 1]` int64 says which segments each text has.
    """

    texts: tf.Tensor
    ids: tf.Tensor
    row_splits: tf.Tensor

    def place(self, pieces: tf.RaggedTensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Puts the tokens found among the ids of the other segments.

        Args:
            pieces: ids `[S, None]` of all segments, of which those of the segments that are tokens are left out.

        Returns:
            For each id its index among the pieces followed by the segments, int64, and int64 `[S + 1]`: where the
            ids of each segment lie.
        """
        is_text = self.ids < 0
        behind = tf.size(pieces.values, tf.int64) + tf.range(tf.size(self.ids, tf.int64))
        starts = tf.where(is_text, pieces.row_starts(), behind)
        return ranges(starts, tf.where(is_text, pieces.row_lengths(), tf.ones_like(behind)))


class TokenFinder(tf.Module):
    """Cuts texts round each of some tokens: exact case, also inside words, the leftmost and longest first.

    Args:
        tokens: what to look for.
        ids: their ids.
        takes_spaces_before: those of the tokens that swallow the white space before them.
    """

    def __init__(self, tokens: Sequence[str], ids: Sequence[int], takes_spaces_before: Sequence[str] = ()):
        super().__init__()
        longest_first = sorted(tokens, key=len, reverse=True)
        self._pattern = "|".join(_WHITE * (token in takes_spaces_before) + re.escape(token) for token in longest_first)
        self._begins_white = f"^{_WHITE}" if takes_spaces_before else ""
        with tf.init_scope(), tf.device("CPU:0"):
            self._tokens = tf.constant(tokens)
            self._ids = tf.constant(ids, tf.int32)

    def __call__(self, texts: tf.Tensor) -> Segments:
        """Cuts texts `[N]`."""
        has_nul = tf.reduce_any(tf.strings.regex_full_match(texts, r"\C*\x00\C*"))
        texts = tf.cond(has_nul, lambda: _replace(_replace(texts, _ESCAPE, _ITSELF), r"\x00", _NUL), lambda: texts)
        segments = tf_text.regex_split(texts, self._pattern, self._pattern)
        # A segment is nothing but the token where it has one, so a token is told by its first place among the strings.
        names = segments.values
        if self._begins_white:
            found = tf.strings.regex_full_match(names, self._pattern)
            names = tf.where(found, tf.strings.regex_replace(names, self._begins_white, ""), names)
        _, places = tf.unique(tf.concat([self._tokens, names], 0))
        number = tf.size(self._ids)
        places = places[number:]  # (S,)
        ids = tf.where(places < number, tf.gather(self._ids, tf.minimum(places, number - 1)), -1)
        texts = segments.values
        texts = tf.cond(has_nul, lambda: _replace(_replace(texts, _NUL, "\0"), _ITSELF, _ESCAPE), lambda: texts)
        return Segments(texts, ids, segments.row_splits)


def _replace(texts: tf.Tensor, pattern: str, by: str) -> tf.Tensor:
    return tf.strings.regex_replace(texts, pattern, by)
