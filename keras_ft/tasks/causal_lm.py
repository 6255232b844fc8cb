"""Text as it comes: every token is predicted from those before it."""

from typing import Any

import tensorflow as tf

from keras_ft.data.arrays import Arrays, TokenArrays
from keras_ft.data.blocks import Blocks
from keras_ft.data.readers.plain_text import CONTINUES, Division
from keras_ft.tasks.language import LanguageTask, Tensor, end_id
from keras_ft.tasks.language_options import LanguageOptions
from keras_ft.text.assemble import Sequences
from keras_ft.text.load import Tokenizer
from keras_ft.text.slices import joined_slices

SAMPLE_WORDS = 16


class CausalLMOptions(LanguageOptions):
    """`task: {name: causal_lm, …}`."""

    blocks: bool = True
    """Join the documents and cut them into blocks of `data.max_length`; `false`: an example a document, cut there."""
    documents: Division | None = None
    """What a `.txt` file holds: one text (`file`), one a `paragraph`, or one a `line`; `null`: a file for blocks, else
    a line."""


class CausalLM(LanguageTask):
    """Predicts each next token of documents, which begin with the end-of-text token.

    Args:
        blocks: whether documents are joined and cut into blocks.
        documents: what a row of a `.txt` file is.
        others: as `LanguageTask` has them.
    """

    name = "causal_lm"
    Options = CausalLMOptions
    text_columns = ("prompt",)
    feature_columns = ("text", CONTINUES)
    optional_columns = (CONTINUES,)

    def __init__(self, blocks: bool = True, documents: Division | None = None, **others: Any):
        super().__init__(**others)
        self.blocks, self.documents = blocks, documents

    @classmethod
    def division(cls, options: CausalLMOptions) -> Division:
        """What a row of a `.txt` file is."""
        return options.documents or ("file" if options.blocks else "line")

    @classmethod
    def cut_at(cls, options: CausalLMOptions, max_length: int) -> int | None:
        """Nowhere, where documents are joined."""
        return None if options.blocks else max_length

    def to_json(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"blocks": self.blocks, "documents": self.documents, **super().to_json()}

    def requests(self, columns: dict[str, list]) -> dict[str, list]:
        """The beginnings of the texts."""
        return {"prompt": [" ".join(text.split()[:SAMPLE_WORDS]) for text in columns["text"]]}

    def examples(self, arrays: TokenArrays) -> Arrays:
        """Blocks of the documents, or the documents themselves."""
        return Blocks(arrays, self.max_length) if self.blocks else arrays

    def features(self, tokenizer: Tokenizer, columns: dict[str, Tensor]) -> Sequences:
        """For blocks: end-of-text, text, whole; else end-of-text, text, end-of-text, cut at `max_length`.

        A text that goes on with the row before it has no end-of-text before it.
        """
        ids = tokenizer.tokenize(columns["text"])
        begins = tf.cast(tf.equal(columns[CONTINUES], ""), tf.int64)  # (examples,)
        ends = 0 * begins if self.blocks else 1 + 0 * begins
        return _framed(ids.with_row_splits_dtype(tf.int64), end_id(tokenizer), begins, ends, self._cut_at)

    @property
    def _cut_at(self) -> int | None:
        return None if self.blocks else self.max_length

    def prompts(self, tokenizer: Tokenizer, columns: dict[str, Tensor]) -> Sequences:
        """The prompt's tokens, cut on the left, and end-of-text alone where it is empty.

        Without blocks the model knows texts from their beginning alone, so end-of-text stands before a whole prompt.
        """
        ids = tokenizer.tokenize(columns["prompt"]).with_row_splits_dtype(tf.int64)
        lengths, room = ids.row_lengths(), self.prompt_room
        begins = (lengths == 0) if self.blocks else (lengths < room)
        kept = tf.minimum(lengths, room)
        pool = tf.concat([[end_id(tokenizer)], ids.values], 0)
        starts = tf.stack([0 * kept, 1 + ids.row_starts() + lengths - kept], 1)
        counts = tf.stack([tf.cast(begins, tf.int64), kept], 1)
        return Sequences(*joined_slices(pool, starts, counts, tf.zeros_like(counts, tf.int32)), lengths > room)


def _framed(ids: tf.RaggedTensor, end: int, begins: tf.Tensor, ends: tf.Tensor, cut_at: int | None) -> Sequences:
    """End-of-text where `begins` is 1, a text, and end-of-text where `ends` is 1; cut on the right."""
    pool = tf.concat([[end], ids.values], 0)
    starts = tf.stack([0 * begins, 1 + ids.row_starts(), 0 * begins], 1)
    counts = tf.stack([begins, ids.row_lengths(), ends], 1)
    whole, segments = joined_slices(pool, starts, counts, tf.ones_like(counts, tf.int32))
    return Sequences(whole[:, :cut_at], segments[:, :cut_at], whole.row_lengths() > (cut_at or whole.dtype.max))
