"""BIO tags of words → the entities of each text, in the graph."""

from typing import Any

import tensorflow as tf

from keras_ft.batch import TokenBatch

Tensor = Any


def entity_spans(batch: TokenBatch, tags: Tensor, log_scores: Tensor, labels: list[str]) -> dict[str, Tensor]:
    """`start`, `end` int32, `label` and `score` float32, `(examples, most entities)`, padded with −1 and "".

    Args:
        batch: in the ragged layout, with the features `word_start`, `start` and `end`.
        tags: `(tokens,)` int32, of words, which BIO allows.
        log_scores: `(tokens,)` float32, the log-probability of each word's tag. An entity's score is the geometric mean
            over its words.
        labels: names, in the order of their tags.
    """
    words = tf.where(batch.features["word_start"])[:, 0]
    tags = tf.gather(tags, words)
    begins = tags % 2 == 1
    count = tf.reduce_sum(tf.cast(begins, tf.int32))
    inside = tf.where(tags > 0)[:, 0]
    entity = tf.gather(tf.cumsum(tf.cast(begins, tf.int32)) - 1, inside)  # (words of entities,)
    inside = tf.gather(words, inside)
    ends = tf.math.unsorted_segment_max(tf.gather(batch.features["end"], inside), entity, count)
    means = tf.math.unsorted_segment_mean(tf.gather(log_scores, inside), entity, count)

    first = tf.boolean_mask(words, begins)  # (entities,)
    sequence = tf.gather(batch.sequence, first)
    example = tf.cast(tf.gather(batch.example_of_sequence, sequence), tf.int64)  # by TensorFlow on any backend
    names = tf.gather(tf.constant(labels), (tf.boolean_mask(tags, begins) - 1) // 2)

    def padded(values: Tensor, filler: Any) -> Tensor:
        rows = tf.RaggedTensor.from_value_rowids(values, example, tf.cast(batch.num_examples, tf.int64), validate=False)
        return rows.to_tensor(filler)

    return {
        "start": padded(tf.gather(batch.features["start"], first), -1),
        "end": padded(ends, -1),
        "label": padded(names, ""),
        "score": padded(tf.exp(means), -1.0),
    }
