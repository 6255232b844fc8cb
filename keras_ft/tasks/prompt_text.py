"""A source text between two fixed texts, as tokens: cut within the source, never in what stands behind it."""

import re
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from keras_ft.text.byte_pair import BytePairTokenizer
from keras_ft.text.load import Tokenizer

Tensor = Any


@dataclass(frozen=True)
class PromptText:
    """Fixed ids, a text that holds the source and is tokenized as one, fixed ids.

    Attributes:
        head: ids before, up to the last special token there.
        before: what stands between them and the source.
        num_before: how many tokens that has.
        behind: what stands behind the source, up to the first special token there.
        behind_ids: its tokens, for where the source is cut.
        tail: ids from that special token on.
    """

    head: list[int]
    before: str
    num_before: int
    behind: str
    behind_ids: list[int]
    tail: list[int]

    @classmethod
    def of(cls, tokenizer: Tokenizer, before: str, behind: str) -> "PromptText":
        """The prompt round a source.

        Args:
            tokenizer: whose special tokens are found in the fixed texts, though not in the source.
            before, behind: the fixed texts.
        """
        added = tokenizer.vocabulary.added_tokens if isinstance(tokenizer, BytePairTokenizer) else []
        special = sorted(added, key=len, reverse=True)
        pattern = f"({'|'.join(map(re.escape, special))})" if special else "(?!)()"
        head, tail = re.split(pattern, before), re.split(pattern, behind)

        def ids(parts: list[str]) -> list[int]:
            """Of texts at even places and special tokens at odd ones."""
            known = tokenizer.vocabulary.token_to_id
            found = [[known[part]] if i % 2 else _ids(tokenizer, part) for i, part in enumerate(parts)]
            return [token for part in found for token in part]

        return cls(
            head=ids(head[:-1]),
            before=head[-1],
            num_before=len(_ids(tokenizer, head[-1])),
            behind=tail[0],
            behind_ids=_ids(tokenizer, tail[0]),
            tail=ids(["", *tail[1:]]),
        )

    @property
    def num_fixed(self) -> int:
        """How many tokens there are besides the source's."""
        return len(self.head) + self.num_before + len(self.behind_ids) + len(self.tail)

    def tokens(self, tokenizer: Tokenizer, sources: Tensor) -> "PromptTokens":
        """The tokens of the prompts of sources `(examples,)`."""
        texts = tf.strings.join([self.before, sources, self.behind])
        return PromptTokens(self, tokenizer.tokenize(texts).with_row_splits_dtype(tf.int64))


@dataclass(frozen=True)
class PromptTokens:
    """Prompts, one a source.

    Attributes:
        text: what is round the sources.
        middle: int32 `[examples, None]`, the tokens of what stands between head and tail.
    """

    text: PromptText
    middle: tf.RaggedTensor

    @property
    def lengths(self) -> Tensor:
        """`(examples,)` int64 tokens."""
        return len(self.text.head) + self.middle.row_lengths() + len(self.text.tail)

    def within(self, room: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The prompts as slices, each cut at the right end of its source until it has at most `room` tokens.

        Args:
            room: `(examples,)` int64.

        Returns:
            The pool of ids, `starts` and `counts` `(examples, 4)`, and `cut` `(examples,)` bool.
        """
        text = self.text
        cut = self.lengths > room
        without = len(text.head) + len(text.behind_ids) + len(text.tail)
        middle = tf.where(cut, tf.maximum(room - without, 0), self.middle.row_lengths())
        one = tf.ones_like(middle)
        fixed = [*text.head, *text.behind_ids, *text.tail]
        pool = tf.concat([tf.constant(fixed, tf.int32), self.middle.values], 0)
        first_behind, first_tail = len(text.head), len(text.head) + len(text.behind_ids)
        starts = [0 * one, len(fixed) + self.middle.row_starts(), first_behind * one, first_tail * one]
        behind = tf.where(cut, len(text.behind_ids) * one, 0 * one)
        counts = [len(text.head) * one, middle, behind, len(text.tail) * one]
        return pool, tf.stack(starts, 1), tf.stack(counts, 1), cut


def _ids(tokenizer: Tokenizer, text: str) -> list[int]:
    if not text:
        return []
    with tf.init_scope():  # where this is called while a graph is traced
        return tokenizer.tokenize(tf.constant([text])).values.numpy().tolist()
