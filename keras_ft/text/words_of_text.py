"""The words of a text, whichever tokenizer the model has: what tagging gives its tags to.

A word is a run of characters between white space, but every ideograph and every punctuation mark is one by itself:
BERT's own rule, by its own table of characters, without lower-casing or stripping; so it depends on the text alone.
"""

from functools import cache
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from keras_ft.text.characters import DELETED, PAGE_SIZE, SPACE, CharacterTable, Normalizer, Variant
from keras_ft.text.words import split_words

AS_WRITTEN = Variant(clean_text=True, split_chinese=True, stripped="none", lowercase=False, words="bert")
INVISIBLE = -1  # the class of control characters, which are in no word


class TextWords(NamedTuple):
    """Where the words of a batch of texts lie.

    Attributes:
        starts: `(words,)` int32, in code points of the word's text.
        ends: `(words,)` int32, exclusive.
        row_splits: `(texts + 1,)` int64, which words each text has.
    """

    starts: tf.Tensor
    ends: tf.Tensor
    row_splits: tf.Tensor


class WordFinder(tf.Module):
    """Finds words in the graph."""

    def __init__(self) -> None:
        super().__init__()
        self._normalizer = Normalizer(_table())

    def __call__(self, texts: tf.Tensor) -> TextWords:
        """The words of UTF-8 strings `(texts,)`; offsets are those of `text.decode("utf-8", "replace")`."""
        with tf.device("CPU:0"):
            decoded = tf.strings.unicode_decode(texts, "UTF-8", errors="replace").with_row_splits_dtype(tf.int64)
            words = split_words(self._normalizer(decoded.values, decoded.row_splits))
            first = tf.gather(words.sources, words.word_splits[:-1])  # (words,) among the flat code points
            last = tf.gather(words.sources, words.word_splits[1:] - 1)
            by_text = tf.RaggedTensor.from_row_splits(first, words.row_splits, validate=False)
            begin = tf.cast(tf.gather(decoded.row_splits, by_text.value_rowids()), tf.int32)  # (words,)
            return TextWords(first - begin, last + 1 - begin, words.row_splits)


def character_classes(text: str) -> np.ndarray:
    """WORD, ISOLATED, SPACE (see `keras_ft.text.characters`) or INVISIBLE for each character, `(characters,)` int32."""
    table = _table()
    code_points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32).astype(np.int64)
    entries = table.pages[table.page_of[code_points // PAGE_SIZE], code_points % PAGE_SIZE]
    return np.where(entries == DELETED, INVISIBLE, entries & 3).astype(np.int32)


def first_visible(text: str) -> int:
    """Where the first word of a text begins; 0 if it has none."""
    seen = np.flatnonzero(~np.isin(character_classes(text), (INVISIBLE, SPACE)))
    return int(seen[0]) if len(seen) else 0


@cache
def _table() -> CharacterTable:
    return CharacterTable.load(AS_WRITTEN)
