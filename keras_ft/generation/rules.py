"""What may come next: rules that change the logits of a step.

A rule is made once for a model and sees, at each step, the texts so far.
"""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

NEVER = -1e9


class Texts(NamedTuple):
    """The texts of a step.

    Attributes:
        ids: `(rows, room)` int32, prompt and what was written, from the left; −1 where nothing is yet.
        lengths: `(rows,)` int32, tokens so far.
        prompts: `(rows,)` int32, those of them that are the prompt's.
    """

    ids: tf.Tensor
    lengths: tf.Tensor
    prompts: tf.Tensor

    def last(self, count: int) -> tf.Tensor:
        """The last tokens, `(rows, count)`; −1 where there are fewer."""
        places = self.lengths[:, None] - count + tf.range(count)  # (rows, count)
        found = tf.gather(self.ids, tf.maximum(places, 0), batch_dims=1)
        return tf.where(places >= 0, found, -1)

    def with_next(self, tokens: tf.Tensor, writes: tf.Tensor) -> "Texts":
        """One token longer in the rows where `writes`; both `(rows,)`."""
        rows = tf.range(tf.size(tokens))
        places = tf.stack([rows, tf.minimum(self.lengths, tf.shape(self.ids)[1] - 1)], axis=1)
        kept = tf.gather_nd(self.ids, places)
        ids = tf.tensor_scatter_nd_update(self.ids, places, tf.where(writes, tokens, kept))
        return Texts(ids, self.lengths + tf.cast(writes, tf.int32), self.prompts)


Rule = Callable[[tf.Tensor, Texts], tf.Tensor]


def not_the_end_yet(end_id: int, min_new_tokens: tf.Tensor) -> Rule:
    """Forbid the end before `min_new_tokens` `(rows,)` are written."""

    def apply(logits: tf.Tensor, texts: Texts) -> tf.Tensor:
        early = texts.lengths - texts.prompts < min_new_tokens  # (rows,)
        is_end = tf.range(tf.shape(logits)[1]) == end_id
        return tf.where(early[:, None] & is_end, NEVER, logits)

    return apply


def repetition_penalty(penalty: tf.Tensor) -> Rule:
    """Divide positive logits of tokens that occurred by `penalty` `(rows,)`, and multiply negative ones.

    Keskar et al. 2019, arXiv:1909.05858, section 4.1, as Hugging Face has it: prompts count.
    """

    def apply(logits: tf.Tensor, texts: Texts) -> tf.Tensor:
        tokens = tf.where(texts.ids >= 0, texts.ids, texts.ids[:, :1])  # (rows, room), no row is without a token
        scores = tf.gather(logits, tokens, batch_dims=1)
        changed = tf.where(scores < 0, scores * penalty[:, None], scores / penalty[:, None])
        rows = tf.broadcast_to(tf.range(tf.shape(tokens)[0])[:, None], tf.shape(tokens))
        return tf.tensor_scatter_nd_update(logits, tf.stack([rows, tokens], axis=-1), changed)

    return apply


def no_repeat_ngram(size: int) -> Rule:
    """Forbid tokens that would complete a sequence of `size` tokens which occurred, prompts included.

    Paulus et al. 2017, arXiv:1705.04304, section 2.5.
    """

    def apply(logits: tf.Tensor, texts: Texts) -> tf.Tensor:
        room = tf.shape(texts.ids)[1]
        windows = tf.maximum(room - size + 1, 0)
        last = texts.last(size - 1)  # (rows, size - 1)
        same = tf.fill([tf.shape(logits)[0], windows], True)
        for offset in range(size - 1):
            same &= texts.ids[:, offset : windows + offset] == last[:, offset, None]
        completing = texts.ids[:, size - 1 : windows + size - 1]  # (rows, windows)
        same &= completing >= 0  # what is not written yet completes nothing
        return _forbidden(logits, tf.where(same, completing, -1))

    return apply


def banned(sequences: list[list[int]]) -> Rule:
    """Forbid the last token of each sequence where the tokens before it were just written."""
    by_length = [[s for s in sequences if len(s) == length] for length in sorted({len(s) for s in sequences})]

    def apply(logits: tf.Tensor, texts: Texts) -> tf.Tensor:
        ends = []
        for alike in by_length:
            table = tf.constant(alike, tf.int32)  # (sequences, length)
            last = texts.last(len(alike[0]) - 1)  # (rows, length - 1)
            matches = tf.reduce_all(last[:, None, :] == table[:, :-1], axis=2)  # (rows, sequences)
            ends.append(tf.where(matches, table[:, -1], -1))
        return _forbidden(logits, tf.concat(ends, axis=1))

    return apply


def _forbidden(logits: tf.Tensor, tokens: tf.Tensor) -> tf.Tensor:
    """`(rows, vocabulary)` with `tokens` `(rows, some)` forbidden; −1 forbids nothing."""
    vocabulary = tf.shape(logits)[1]
    columns = tf.where(tokens >= 0, tokens, vocabulary)
    rows = tf.broadcast_to(tf.range(tf.shape(tokens)[0])[:, None], tf.shape(tokens))
    places = tf.stack([rows, columns], axis=-1)
    counts = tf.scatter_nd(places, tf.ones_like(tokens), [tf.shape(logits)[0], vocabulary + 1])
    return tf.where(counts[:, :-1] > 0, NEVER, logits)
