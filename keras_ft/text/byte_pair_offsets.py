"""Where each token of a byte-pair tokenizer stands in its text."""

from typing import NamedTuple

import tensorflow as tf

from keras_ft.text.byte_pair_vocabulary import BytePairVocabulary


class Spans(NamedTuple):
    """The first and the last code point of each token, int32 or int64 `[T]`."""

    first: tf.Tensor
    last: tf.Tensor


class Origins(NamedTuple):
    """Where segments begin, in code points, int32 `[S]`.

    `flat`: among all that were decoded. `in_text`: in the text that they were cut from. `prefixed`: 1 where a space
    that is not in the text was put before the segment, else 0.
    """

    flat: tf.Tensor
    in_text: tf.Tensor
    prefixed: tf.Tensor

    @classmethod
    def of(cls, decoded_splits: tf.Tensor, prefixed: tf.Tensor, row_splits: tf.Tensor) -> "Origins":
        """From where the segments lie among the decoded code points `[S + 1]` and among the texts `[N + 1]`."""
        flat = tf.cast(decoded_splits, tf.int32)
        original = flat - tf.concat([[0], tf.cumsum(prefixed)], 0)  # (S + 1,)
        text = tf.repeat(row_splits[:-1], row_splits[1:] - row_splits[:-1])  # (S,), each text's first segment
        return cls(flat[:-1], original[:-1] - tf.gather(original, text), prefixed)

    def place(self, spans: Spans, segment: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Starts and ends `[T]` in the texts of tokens that are in these segments `[T]`."""
        before = tf.gather(self.flat + self.prefixed, segment)
        in_text = tf.gather(self.in_text, segment)
        first, last = (tf.maximum(place - before, 0) + in_text for place in spans)
        return first, last + 1


class TokenLengths(tf.Module):
    """Finds tokens among code points by the bytes that each has.

    Args:
        vocabulary: the tokens.
    """

    def __init__(self, vocabulary: BytePairVocabulary):
        super().__init__()
        said = [vocabulary.token_bytes(token) for token in vocabulary.tokens]
        with tf.init_scope(), tf.device("CPU:0"):
            self._bytes = tf.constant([len(text) for text in said], tf.int32)
            self._characters = tf.constant([len(text.decode("utf-8", "replace")) for text in said], tf.int32)
            self._spaces_before = tf.constant([len(text) - len(text.lstrip(b" ")) for text in said], tf.int32)
            self._spaces_after = tf.constant([len(text) - len(text.rstrip(b" ")) for text in said], tf.int32)

    def spans(self, ids: tf.Tensor, code_points: tf.Tensor) -> Spans:
        """The code points `[M]` that tokens `[T]` cover which together are just their UTF-8.

        A token that has some bytes of a character only covers the whole character.
        """
        ends = tf.cumsum(tf.gather(self._bytes, ids))
        starts = tf.concat([[0], ends[:-1]], 0)[: tf.size(ids)]

        def any_text() -> Spans:
            widths = 1 + sum(tf.cast(code_points >= bound, tf.int32) for bound in (0x80, 0x800, 0x10000))
            bounds = tf.cumsum(widths)
            return Spans(tf.searchsorted(bounds, starts, "right"), tf.searchsorted(bounds, ends - 1, "right"))

        return Spans(*tf.cond(tf.reduce_all(code_points < 0x80), lambda: Spans(starts, ends - 1), any_text))

    def trim(
        self, ids: tf.RaggedTensor, starts: tf.Tensor, ends: tf.Tensor, found: tf.Tensor, keep_prefix: bool
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Leave spaces out of offsets, as Hugging Face's `process_offsets` does.

        Args:
            ids: of the tokens `[N, None]`.
            starts, ends: `[T]`, with spaces.
            found: bool `[T]`, which of them were found in the text as they are written, maybe behind spaces.
            keep_prefix: whether the first token of a text keeps a single space.
        """
        before = tf.gather(self._spaces_before, ids.values)
        before = tf.where(found, ends - starts - tf.gather(self._characters, ids.values), before)
        after = tf.where(found, 0, tf.gather(self._spaces_after, ids.values))
        if keep_prefix:
            first_of_text = tf.range(tf.size(starts, tf.int64)) == tf.gather(ids.row_starts(), ids.value_rowids())
            before = tf.where((first_of_text | (starts == 0)) & (before == 1), 0, before)
        starts = tf.minimum(starts + before, ends)
        return starts, tf.where(ends >= after, tf.maximum(ends - after, starts), ends)
