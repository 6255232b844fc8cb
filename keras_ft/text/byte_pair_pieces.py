"""Byte-pair encoding of words in the graph: whole tokens are looked up, SentencePiece's automaton merges the others."""

import itertools

import numpy as np
import tensorflow as tf
import tensorflow_text as tf_text

from keras_ft.text.byte_pair_model import NUL, build_byte_pair_model
from keras_ft.text.byte_pair_vocabulary import BYTES, BytePairVocabulary
from keras_ft.text.ranges import ranges


class WordEncoder(tf.Module):
    """Words to ids.

    Merging is slow, so each word of a batch is looked at once, and merged only if it is no token by itself: a token
    always encodes to itself (see `check_merges`). What is looked up is a constant: for each hash of a word the one
    token that the word may be. Of tokens with equal hashes the most important is there, the others are merged.

    Args:
        vocabulary: the tokens and merges.
    """

    def __init__(self, vocabulary: BytePairVocabulary):
        super().__init__()
        texts = [vocabulary.token_bytes(token) for token in vocabulary.tokens]
        self._num_buckets = 1 << (4 * len(texts)).bit_length()
        first = [vocabulary.token_to_id[token] for token in [*BYTES, *vocabulary.ranks]]
        with tf.init_scope(), tf.device("CPU:0"):
            self._texts = tf.constant(texts)
            buckets = tf.strings.to_hash_bucket_fast(tf.gather(self._texts, first), self._num_buckets).numpy()
            token_of = np.full(self._num_buckets, first[0], np.int32)
            token_of[buckets[::-1]] = first[::-1]  # the last that is written stays
            self._token_of = tf.constant(token_of)
            self._sentencepiece = tf_text.SentencepieceTokenizer(model=build_byte_pair_model(vocabulary))

    def __call__(self, words: tf.Tensor, has_nul: tf.Tensor) -> tf.RaggedTensor:
        """The ids of each word.

        Args:
            words: UTF-8 strings `[W]`.
            has_nul: whether a word has the character U+0000.

        Returns:
            int32 `[W, None]`.
        """
        words, place = tf.unique(words, tf.int64)  # (U,) and (W,)
        whole = tf.gather(self._token_of, tf.strings.to_hash_bucket_fast(words, self._num_buckets))  # (U,)
        others = tf.where(tf.gather(self._texts, whole) != words)  # (R, 1)
        # Each byte becomes a character.
        spelled = tf.strings.unicode_transcode(tf.gather_nd(words, others), "ISO-8859-1", "UTF-8")
        spelled = tf.cond(has_nul, lambda: tf.strings.regex_replace(spelled, r"\x00", NUL), lambda: spelled)
        ids = self._sentencepiece.tokenize(spelled)
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
