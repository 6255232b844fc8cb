"""What is watched of texts: how long they are, and how much of them the vocabulary does not know."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from keras_ft.text.load import Tokenizer

Row = list[bytes]
"""The texts of one row, by input."""


class TextCounter:
    """Counts tokens as the model's own tokenizer makes them, without [CLS], [SEP] and the cut at `max_length`.

    Arguments:
        tokenizer: of the model; `TextCounter.of` reads that of an export.
    """

    def __init__(self, tokenizer: "Tokenizer"):
        import tensorflow as tf

        # Bytes spell everything: only word pieces and SentencePiece models have what they do not know.
        kind, vocabulary = tokenizer.config["type"], tokenizer.vocabulary
        unknown = None if kind == "byte_pair" else vocabulary.unk_id
        self.knows_unknown = unknown is not None

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string)], autograph=False)
        def counts(texts: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            ids = tokenizer.tokenize(texts)
            missing = tf.zeros_like(ids) if unknown is None else tf.cast(ids == unknown, tf.int32)
            return ids.row_lengths(), tf.reduce_sum(missing, axis=1)

        self._counts = counts
        self([[b""]])  # traced now, not under a request

    @classmethod
    def of(cls, folder: Path) -> "TextCounter | None":
        """The counter of an export; None where it does not hold its tokenizer as a whole.

        Raises:
            RequestError: a file of the tokenizer is damaged.
        """
        assets = folder / "assets"
        if not (assets / "config.json").is_file():
            return None
        from keras_ft.text.load import load_tokenizer

        return cls(load_tokenizer(assets))

    def __call__(self, rows: Sequence[Row]) -> tuple[np.ndarray, np.ndarray]:
        """Tokens, and unknown ones among them, of each row, `(rows,)` int64 each."""
        import tensorflow as tf

        texts = [text for row in rows for text in row]
        tokens, unknown = self._counts(tf.constant(texts, tf.string, shape=[len(texts)]))
        starts = np.cumsum([0, *(len(row) for row in rows)])

        def by_row(values: tf.Tensor) -> np.ndarray:
            sums = np.concatenate([[0], np.cumsum(values.numpy().astype(np.int64))])
            return sums[starts[1:]] - sums[starts[:-1]]

        return by_row(tokens), by_row(unknown)


def characters_of(row: Row) -> int:
    """Unicode code points of a row's texts."""
    return sum(len(text.decode("utf-8", "replace")) for text in row)


def unknown_shares(tokens: np.ndarray, unknown: np.ndarray) -> np.ndarray:
    """The share of unknown tokens of each row, 0 where it has no token, `(rows,)`."""
    return unknown / np.maximum(tokens, 1)
