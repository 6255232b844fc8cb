"""Where each token of a SentencePiece tokenizer stands in its text.

SentencePiece says which bytes of a text each of its pieces covers, but a piece that holds a part of what a character
was normalized to (½ becomes 1⁄2) may cover nothing there. So texts are normalized first, by a model of single bytes,
which says for each where it comes from and where its character ends. The pieces are then found in what is normalized.
"""

from typing import NamedTuple

import numpy as np
import tensorflow as tf
import tensorflow_text as tf_text

from keras_ft.text.charsmap import code_points_that_become
from keras_ft.text.ranges import ranges
from keras_ft.text.sentence_piece_model import SPACE, SentencePieceModel


class NormalizedBytes(NamedTuple):
    """Normalized texts, flat, and where their bytes come from.

    `texts [N]` strings; `row_starts [N]` int64 where each begins among all bytes; `first [B]`, `last [B]` int32 which
    code points each byte comes from, as indices into all that were given.
    """

    texts: tf.Tensor
    row_starts: tf.Tensor
    first: tf.Tensor
    last: tf.Tensor

    def code_points_of(
        self, ids: tf.RaggedTensor, starts: tf.RaggedTensor, ends: tf.RaggedTensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """The first and the last code point `[T]` of tokens that have these bytes of the normalized texts."""
        row = tf.gather(self.row_starts, ids.value_rowids())
        begin = tf.cast(starts.values, tf.int64) + row
        return tf.gather(self.first, begin), tf.gather(self.last, tf.cast(ends.values, tf.int64) + row - 1)


class Normalizer(tf.Module):
    """A model's normalization, with the source of each byte.

    Args:
        model: the model.
    """

    def __init__(self, model: SentencePieceModel):
        super().__init__()
        normalizing, said = model.normalizing()
        lengths = np.array([len(text) for text in said])
        with tf.init_scope(), tf.device("CPU:0"):
            self._to_bytes = tf_text.SentencepieceTokenizer(model=normalizing.to_bytes())
            self._said = tf.constant(said)
            self._pool = tf.constant(np.frombuffer(b"".join(said), np.uint8))
            self._starts = tf.constant(np.cumsum(lengths) - lengths, tf.int64)
            self._lengths = tf.constant(lengths, tf.int64)
            self._deleted = tf.constant(code_points_that_become(model.charsmap, ""), tf.int32)

    def __call__(self, texts: tf.RaggedTensor) -> NormalizedBytes:
        """Normalizes texts given as code points `[N, None]`."""
        strings = tf.raw_ops.UnicodeEncode(
            input_values=texts.values, input_splits=texts.row_splits, output_encoding="UTF-8"
        )
        ids, starts, ends = self._to_bytes.tokenize_with_offsets(strings)
        normalized = tf.strings.unsorted_segment_join(
            tf.gather(self._said, ids.values), ids.value_rowids(), ids.nrows()
        )
        lengths = tf.gather(self._lengths, ids.values)  # more than 1 of a piece that is matched whole
        place, id_splits = ranges(tf.gather(self._starts, ids.values), lengths)  # (B,)
        splits = tf.gather(id_splits, ids.row_splits)  # (N + 1,)

        # Offsets are bytes of each string; in code points of all strings together they are:
        bounds = tf.cumsum(1 + sum(tf.cast(texts.values >= bound, tf.int64) for bound in (0x80, 0x800, 0x10000)))
        row_begin = tf.gather(tf.concat([[0], bounds], 0), texts.row_starts())
        shift = tf.gather(row_begin, ids.value_rowids())
        first, end = (
            tf.repeat(tf.searchsorted(bounds, tf.cast(offset.values, tf.int64) + shift, "right"), lengths)
            for offset in (starts, ends)
        )
        # What a character becomes ends where the character begins, but for the last byte, which ends where it ends.
        end = tf.gather(end, _next(tf.where(end > first)[:, 0], tf.range(tf.size(end, tf.int64))))
        word = _out_of_spaces(tf.gather(self._pool, place), splits)
        last = self._without_deleted(texts.values, end) - 1
        return NormalizedBytes(normalized, splits[:-1], tf.gather(first, word), tf.gather(last, word))

    def _without_deleted(self, code_points: tf.Tensor, ends: tf.Tensor) -> tf.Tensor:
        """Ends without what normalization deletes: a character seems to reach up to the next one that is left."""
        kept = tf.where(tf.reduce_all(code_points[:, None] != self._deleted, axis=1))[:, 0]
        before = tf.searchsorted(kept, tf.cast(ends, tf.int64))  # (B,) kept up to there: 0 of a space only
        return tf.cast(tf.gather(kept, tf.maximum(before - 1, 0)), ends.dtype) + 1


def _out_of_spaces(values: tf.Tensor, splits: tf.Tensor) -> tf.Tensor:
    """For each byte `[B]` its own index, but of a space that of the next byte of the text which is of none, if any."""
    size = tf.size(values, tf.int64)
    padded = tf.concat([values, tf.zeros([2], values.dtype)], 0)
    begins = tf.reduce_all([padded[i : size + i] == byte for i, byte in enumerate(SPACE.encode())], axis=0)
    padded = tf.concat([tf.zeros([2], tf.bool), begins], 0)
    is_space = tf.reduce_any([padded[i : size + i] for i in range(3)], axis=0)
    here = tf.range(size)
    following = _next(tf.where(~is_space)[:, 0], here)
    row_end = tf.repeat(splits[1:], splits[1:] - splits[:-1])
    return tf.where((following > here) & (following < row_end), following, here)


def _next(places: tf.Tensor, since: tf.Tensor) -> tf.Tensor:
    """The first of some places, in order, at or behind each index; the index itself where there is none."""
    found = tf.searchsorted(places, since)
    following = tf.gather(tf.concat([places, [0]], 0), found)
    return tf.where(found < tf.size(places), following, since)
