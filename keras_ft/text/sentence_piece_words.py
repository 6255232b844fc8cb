"""Words to ids by SentencePiece's automaton, each word of a batch once."""

from typing import NamedTuple

import numpy as np
import tensorflow as tf
import tensorflow_text as tf_text

from keras_ft.text.charsmap import code_points_that_become, leaves_as_it_is
from keras_ft.text.ranges import ranges
from keras_ft.text.sentence_piece_model import NORMAL, UNIGRAM, USER_DEFINED, Piece, SentencePieceModel
from keras_ft.text.sentence_piece_offsets import Normalizer

PER_CHARACTER = 5.0  # about what a character costs in Chinese, whose words are longest
QUANTUM = 2.0**-14
ALWAYS_SPACES = [
    ord(" "),
    0x85,
]  # the latter, "next line", is left by the usual rules, but is white space to tokenizers


class Words(NamedTuple):
    """What stands between spaces in texts, flat.

    `texts [W]` strings; `starts [W]` int64 which code point each begins with, as an index into all; `row_splits
    [N + 1]` int64 which words each text has.
    """

    texts: tf.Tensor
    starts: tf.Tensor
    row_splits: tf.Tensor


class WordSplitter(tf.Module):
    """Cuts texts at spaces and what a model normalizes to one.

    Args:
        model: the model.
    """

    def __init__(self, model: SentencePieceModel):
        super().__init__()
        spaces = np.union1d(ALWAYS_SPACES, code_points_that_become(model.charsmap, " "))
        with tf.init_scope(), tf.device("CPU:0"):
            self._spaces = tf.constant(spaces, tf.int32)

    def __call__(self, texts: tf.RaggedTensor) -> Words:
        """Cuts texts given as code points `[N, None]`."""
        code_points, size = texts.values, tf.size(texts.values, tf.int64)
        place = tf.minimum(tf.searchsorted(self._spaces, code_points), tf.size(self._spaces) - 1)
        is_space = tf.gather(self._spaces, place) == code_points
        before = tf.concat([[True], is_space], 0)
        before = tf.tensor_scatter_nd_update(
            before, texts.row_splits[:, None], tf.fill(tf.shape(texts.row_splits), True)
        )[:size]
        starts = tf.where(~is_space & before)[:, 0]
        kept = tf.where(~is_space)[:, 0]
        splits = tf.concat([tf.searchsorted(kept, starts, out_type=tf.int64), [tf.size(kept, tf.int64)]], 0)
        words = tf.raw_ops.UnicodeEncode(
            input_values=tf.gather(code_points, kept), input_splits=splits, output_encoding="UTF-8"
        )
        return Words(words, starts, tf.searchsorted(starts, texts.row_splits, out_type=tf.int64))


class WordEncoder(tf.Module):
    """Words to pieces.

    Args:
        model: its pieces are in the order of the ids.
    """

    def __init__(self, model: SentencePieceModel):
        super().__init__()
        self._model = model
        with tf.init_scope(), tf.device("CPU:0"):
            self._sentencepiece = tf_text.SentencepieceTokenizer(model=with_exact_sums(model).to_bytes())
        self._in_parts: tuple[Normalizer, tf_text.SentencepieceTokenizer] | None = None

    def ids(self, words: tf.Tensor) -> tf.RaggedTensor:
        """The ids int32 `[W, None]` of words `[W]`."""
        words, place = tf.unique(words, tf.int64)  # (U,) and (W,)
        ids = self._sentencepiece.tokenize(words)
        source, splits = ranges(tf.gather(ids.row_starts(), place), tf.gather(ids.row_lengths(), place))
        return _ragged(tf.gather(ids.values, source), splits)

    def ids_with_places(self, words: tf.Tensor) -> tuple[tf.RaggedTensor, tf.Tensor, tf.Tensor]:
        """The ids int32 `[W, None]`, and for each the first and the last code point of its word, int32 `[T]`."""
        normalizer, sentencepiece = self._parts()
        words, place = tf.unique(words, tf.int64)
        decoded = tf.strings.unicode_decode(words, "UTF-8")
        normalized = normalizer(decoded)
        ids, starts, ends = sentencepiece.tokenize_with_offsets(normalized.texts)
        first, last = normalized.code_points_of(ids, starts, ends)
        begin = tf.cast(tf.gather(decoded.row_starts(), ids.value_rowids()), tf.int32)
        source, splits = ranges(tf.gather(ids.row_starts(), place), tf.gather(ids.row_lengths(), place))
        first, last = tf.gather(first - begin, source), tf.gather(last - begin, source)
        return _ragged(tf.gather(ids.values, source), splits), first, last

    def _parts(self) -> tuple[Normalizer, tf_text.SentencepieceTokenizer]:
        """The model in two, normalization and pieces; made when first asked for, since large."""
        if self._in_parts is None:
            with tf.init_scope(), tf.device("CPU:0"):
                pieces = with_exact_sums(self._model).without_normalization()
                self._in_parts = Normalizer(self._model), tf_text.SentencepieceTokenizer(model=pieces.to_bytes())
        return self._in_parts


def with_exact_sums(model: SentencePieceModel) -> SentencePieceModel:
    """A unigram model whose sums of scores are exact in 32 bits, so that segmentations that are as good stay so.

    Of these Hugging Face's tokenizers, which sum up in 64 bits, always takes the one with the longest last piece, and
    so does SentencePiece where its 32 bits suffice. Scores are rounded a little, and each character adds the same to
    all segmentations alike, which keeps the sums near 0.
    """
    if model.kind != UNIGRAM:
        return model

    def exact(score: float, length: int) -> float:
        return round((score + PER_CHARACTER * length) / QUANTUM) * QUANTUM

    def made_exact(piece: Piece) -> Piece:
        is_sum = piece.kind == USER_DEFINED and leaves_as_it_is(model.charsmap, piece.text)  # else matched unnormalized
        if piece.kind != NORMAL and not is_sum:
            return piece
        return Piece(piece.text, exact(piece.score if piece.kind == NORMAL else 0.0, len(piece.text)))

    scores = [piece.score for piece in model.pieces if piece.kind == NORMAL]
    pieces = [made_exact(piece) for piece in model.pieces]
    # The lowest score says what an unknown character costs. No word has a space.
    return model.with_pieces([*pieces, Piece(f" {len(pieces)}", exact(min(scores, default=0.0), 1))])


def _ragged(values: tf.Tensor, row_splits: tf.Tensor) -> tf.RaggedTensor:
    return tf.RaggedTensor.from_row_splits(values, row_splits, validate=False)
