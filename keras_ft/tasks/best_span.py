"""The best answer of each example among all spans of all its windows, exactly; tensorflow alone.

The reference implementations look at the 20 best starts and ends of a window. A maximum over a band costs as little and
misses none.
"""

from typing import NamedTuple

import tensorflow as tf

from keras_ft.batch import TokenBatch

NO_SPAN = 1e9  # the no-answer score of an example without a token to answer with


class BestSpan(NamedTuple):
    """What is best for each example, `(examples,)` each.

    Attributes:
        first, last: its tokens, counted over the batch; 0 where there is none.
        found: whether there is one, which takes a token of a context.
        score: how probable it is in its window, the probabilities of first and last token multiplied.
        no_answer_score: how far the score of no answer is above that of the span, both sums of two logits. No answer's
            is the lowest over the windows, since one window without the answer says little of the others (Devlin et al.
            2019, arXiv:1810.04805, section 4.3).
    """

    first: tf.Tensor
    last: tf.Tensor
    found: tf.Tensor
    score: tf.Tensor
    no_answer_score: tf.Tensor


def best_span(logits: tf.Tensor, in_context: tf.Tensor, batch: TokenBatch, longest: int) -> BestSpan:
    """Look at every span of at most `longest` tokens that lies in the context of one window.

    Args:
        logits: `(tokens, 2)` float32, of the first and the last token of an answer; [CLS] stands for no answer.
        in_context: `(tokens,)` bool.
        batch: in the ragged layout.
        longest: tokens of an answer.
    """
    begin, end = logits[:, 0], logits[:, 1]
    count = tf.shape(begin)[0]
    tokens = tf.range(count)
    first = tf.maximum(tokens[:, None] - tf.range(longest), 0)  # (tokens, longest): where a span to this token begins
    same = tf.gather(batch.sequence, first) == batch.sequence[:, None]
    allowed = same & tf.gather(in_context, first) & in_context[:, None]
    banded = tf.where(allowed, tf.gather(begin, first), begin.dtype.min)  # (tokens, longest)
    length = tf.argmax(banded, axis=1, output_type=tf.int32)  # (tokens,)
    total = tf.where(in_context, tf.reduce_max(banded, axis=1) + end, begin.dtype.min)

    example = tf.gather(batch.example_of_sequence, batch.sequence)  # (tokens,)
    best = tf.math.unsorted_segment_max(total, example, batch.num_examples)  # (examples,)
    is_best = in_context & (total == tf.gather(best, example))
    last = tf.math.unsorted_segment_min(tf.where(is_best, tokens, count), example, batch.num_examples)
    found = last < count
    last = tf.where(found, last, 0)
    first = last - tf.gather(length, last)

    none = tf.reduce_sum(tf.gather(logits, batch.first_token), axis=1)  # (sequences,)
    none = tf.math.unsorted_segment_min(none, batch.example_of_sequence, batch.num_examples)
    probability = tf.exp(_log_softmax(logits, batch))  # (tokens, 2)
    score = tf.gather(probability[:, 0], first) * tf.gather(probability[:, 1], last)
    return BestSpan(
        first, last, found, tf.where(found, score, 0.0), tf.where(found, none - tf.where(found, best, 0.0), NO_SPAN)
    )


def _log_softmax(logits: tf.Tensor, batch: TokenBatch) -> tf.Tensor:
    """Over the tokens of each sequence, `(tokens, 2)`."""
    largest = tf.math.unsorted_segment_max(logits, batch.sequence, batch.num_sequences)
    shifted = logits - tf.gather(largest, batch.sequence)
    total = tf.math.unsorted_segment_sum(tf.exp(shifted), batch.sequence, batch.num_sequences)
    return shifted - tf.math.log(tf.gather(total, batch.sequence))
