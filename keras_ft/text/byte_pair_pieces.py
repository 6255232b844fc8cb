"""Byte-pair encoding of words in the graph: whole tokens by one automaton, the others by SentencePiece's."""

import itertools

import numpy as np
import tensorflow as tf
import tensorflow_text as tf_text
from tensorflow_text.core.pybinds import pywrap_fast_wordpiece_tokenizer_model_builder as builder

from keras_ft.text.byte_pair_model import NUL, build_byte_pair_model
from keras_ft.text.byte_pair_vocabulary import BYTES, BytePairVocabulary
from keras_ft.text.ranges import ranges

_NEVER = "\U0010ffff"  # with a number behind it, it is no word
_MAX_WORD_BYTES = 1 << 10
_MAX_TOKEN_BYTES = 256


class WordEncoder(tf.Module):
    """Words to ids.

    Merging is slow, so each word of a batch is looked at once, and only if it is no token by itself: a token always
    encodes to itself (see `check_merges`). WordPiece's automaton, over tokens that nothing continues, tells in a tenth
    of the time.

    Args:
        vocabulary: the tokens and merges.
    """

    def __init__(self, vocabulary: BytePairVocabulary):
        super().__init__()
        self._unknown = len(vocabulary)
        with tf.init_scope(), tf.device("CPU:0"):
            model = tf.constant(_build_lookup(vocabulary))
            self._lookup = tf_text.FastWordpieceTokenizer(model_buffer=model, token_out_type=tf.int32)
            self._sentencepiece = tf_text.SentencepieceTokenizer(model=build_byte_pair_model(vocabulary))

    def __call__(self, words: tf.Tensor, has_nul: tf.Tensor) -> tf.RaggedTensor:
        """The ids of each word.

        Args:
            words: UTF-8 strings `[W]`.
            has_nul: whether a word has the character U+0000, which neither automaton reads.

        Returns:
            int32 `[W, None]`.
        """
        words, place = tf.unique(words, tf.int64)  # (U,) and (W,)
        whole = self._lookup.tokenize(_replace_nul(words, _NEVER, has_nul)).values  # (U,)
        others = tf.where(whole == self._unknown)  # (R, 1)
        # Each byte becomes a character.
        spelled = tf.strings.unicode_transcode(tf.gather_nd(words, others), "ISO-8859-1", "UTF-8")
        ids = self._sentencepiece.tokenize(_replace_nul(spelled, NUL, has_nul))
        size = tf.size(whole, tf.int64)
        starts = tf.tensor_scatter_nd_update(tf.range(size), others, size + ids.row_starts())
        counts = tf.tensor_scatter_nd_update(tf.ones([size], tf.int64), others, ids.row_lengths())
        source, splits = ranges(tf.gather(starts, place), tf.gather(counts, place))
        values = tf.gather(tf.concat([whole, ids.values], 0), source)
        return tf.RaggedTensor.from_row_splits(values, splits, validate=False)


def byte_pairs(vocabulary: BytePairVocabulary) -> np.ndarray:
    """Which byte is followed by which within some token that merges make, bool `[256, 256]`."""
    pairs = np.zeros((256, 256), bool)
    for token in vocabulary.ranks:
        text = vocabulary.token_bytes(token)
        for first, second in itertools.pairwise(text):
            pairs[first, second] = True
    return pairs


def _build_lookup(vocabulary: BytePairVocabulary) -> np.ndarray:
    """WordPiece's automaton over the tokens that a word can be, as bytes `[B]` uint8.

    Strings that no word is keep the places of the other tokens.
    """
    tokens = [f"{_NEVER}{i}" for i in range(len(vocabulary) + 1)]
    for token in [*vocabulary.ranks, *BYTES]:
        text = vocabulary.token_bytes(token)
        if _is_word(text):
            tokens[vocabulary.token_to_id[token]] = text.decode()
    model = builder.build_fast_wordpiece_model(tokens, _MAX_WORD_BYTES, f"{_NEVER}##", tokens[-1], True, False)
    return np.frombuffer(bytes(model), np.uint8)


def _is_word(text: bytes) -> bool:
    """Whether the automaton can hold a token: UTF-8, not longer than it allows, and without NUL."""
    if len(text) > _MAX_TOKEN_BYTES or b"\0" in text:
        return False
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def _replace_nul(words: tf.Tensor, by: str, has_nul: tf.Tensor) -> tf.Tensor:
    return tf.cond(has_nul, lambda: tf.strings.regex_replace(words, r"\x00", by), lambda: words)
