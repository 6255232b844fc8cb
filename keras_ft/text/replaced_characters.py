"""What ALBERT does to texts before SentencePiece normalizes them, code point by code point, in the graph.

`scripts/make_replaced_characters.py` reads the tables from Hugging Face's `tokenizers`.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from keras_ft.text.ranges import ranges

PAGE_SIZE = 256
QUOTES = ("`", "'")  # two of these are a quotation mark


class Replaced(NamedTuple):
    """Code points `[N, None]`, and int32 which of those given, as an index into all, each comes from."""

    code_points: tf.RaggedTensor
    sources: tf.Tensor

    @classmethod
    def nothing(cls, code_points: tf.RaggedTensor) -> "Replaced":
        """As they are given."""
        return cls(code_points, tf.range(tf.size(code_points.values)))


class CharacterReplacement(tf.Module):
    """Replaces code points by none, one or several.

    Args:
        lowercase: whether to lower-case.
        strip_accents: whether to decompose (NFKD) and delete all marks, before that.
        plain_quotes: whether two grave accents or two apostrophes become a quotation mark, before that.
    """

    def __init__(self, lowercase: bool, strip_accents: bool, plain_quotes: bool):
        super().__init__()
        self._plain_quotes = plain_quotes
        name = "_".join(["strip"] * strip_accents + ["lower"] * lowercase)
        with np.load(Path(__file__).with_name("replaced_characters.npz")) as data:
            changed, counts, outputs = (
                data[f"{name}/{part}"] if name else np.zeros(0, np.int32)
                for part in ("code_points", "counts", "outputs")
            )
        pages = np.zeros((0x110000 // PAGE_SIZE, PAGE_SIZE), np.int32)  # 0 for what stays
        pages.flat[changed] = 1 + np.arange(len(changed))
        used, page_of = np.unique(pages, axis=0, return_inverse=True)
        with tf.init_scope(), tf.device("CPU:0"):
            self._page_of = tf.constant(page_of.reshape(-1), tf.int32)
            self._pages = tf.constant(used.reshape(-1), tf.int32)
            self._starts = tf.constant(np.concatenate([[0], np.cumsum(counts) - counts]), tf.int32)
            self._counts = tf.constant(np.concatenate([[1], counts]), tf.int32)
            self._outputs = tf.constant(outputs, tf.int32)

    def __call__(self, texts: tf.RaggedTensor) -> Replaced:
        """Replaces code points `[N, None]` of texts."""
        quoted = _quoted(texts) if self._plain_quotes else Replaced.nothing(texts)
        given = quoted.code_points.values
        page = tf.gather(self._page_of, tf.bitwise.right_shift(given, 8))
        entry = tf.gather(self._pages, page * PAGE_SIZE + tf.bitwise.bitwise_and(given, PAGE_SIZE - 1))
        here = tf.range(tf.size(given))
        starts = tf.where(entry > 0, tf.gather(self._starts, entry), tf.size(self._outputs) + here)
        counts = tf.gather(self._counts, entry)
        place, splits = ranges(starts, counts)
        code_points = tf.gather(tf.concat([self._outputs, given], 0), place)
        row_splits = tf.gather(splits, quoted.code_points.row_splits)
        return Replaced(
            tf.RaggedTensor.from_row_splits(code_points, row_splits, validate=False),
            tf.gather(quoted.sources, tf.repeat(here, counts)),
        )


def _quoted(texts: tf.RaggedTensor) -> Replaced:
    """With a quotation mark for each two quotes alike, from the left; it comes from the second of them."""
    given, size = texts.values, tf.size(texts.values)
    before = tf.concat([[0], given[:-1]], 0)[:size]
    begins_text = tf.scatter_nd(
        texts.row_starts()[:, None], tf.ones_like(texts.row_starts()), [tf.cast(size, tf.int64) + 1]
    )
    begins_run = (given != before) | (begins_text[:-1] > 0)
    here = tf.range(size)
    run_starts = tf.where(begins_run)[:, 0]
    run = tf.cumsum(tf.cast(begins_run, tf.int32)) - 1
    in_run = here - tf.cast(tf.gather(run_starts, run), tf.int32)  # the number of each in its run of equal ones
    is_quote = tf.reduce_any(given[:, None] == [ord(quote) for quote in QUOTES], axis=1)
    second = is_quote & (in_run % 2 == 1)
    is_first = tf.concat([second[1:], [False]], 0)[:size]
    kept = tf.where(~is_first)[:, 0]
    code_points = tf.gather(tf.where(second, ord('"'), given), kept)
    row_splits = tf.searchsorted(kept, texts.row_splits, out_type=tf.int64)
    return Replaced(tf.RaggedTensor.from_row_splits(code_points, row_splits, validate=False), tf.cast(kept, tf.int32))
