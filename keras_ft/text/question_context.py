"""A question with each window of a context, the way BERT reads them: [CLS] question [SEP] window [SEP]."""

import tensorflow as tf

from keras_ft.text.assemble import Sequences
from keras_ft.text.ranges import ranges
from keras_ft.text.vocabulary import Vocabulary
from keras_ft.text.windows import windows

NUM_SPECIAL = 3
NO_PLACE = -1
Context = tuple[tf.RaggedTensor, tf.RaggedTensor, tf.RaggedTensor]


def question_context(
    question: tf.RaggedTensor,
    context: Context,
    vocabulary: Vocabulary,
    max_length: int,
    max_question_length: int,
    stride: int,
) -> Sequences:
    """Every context cut into windows, its question before each of them.

    Args:
        question: int32 ids `[N, None]`; cut on the right at `max_question_length`, and at half of what [CLS] and [SEP]
            leave of `max_length`.
        context: int32 ids, and where each token begins and ends in its text, `[N, None]` each.
        vocabulary: says which ids [CLS] and [SEP] have.
        max_length: tokens in a sequence, at least 5.
        max_question_length: tokens of a question.
        stride: tokens that two neighbouring windows share; at most three quarters of a window.

    Returns:
        A sequence for each window, one at least for each example. Its features along tokens are `start` and `end`, as
        the context's tokens have them, −1 for all other tokens. `truncated` says whether the question was cut.
    """
    question = question.with_row_splits_dtype(tf.int64)
    ids, begins, ends = (tensor.with_row_splits_dtype(tf.int64) for tensor in context)
    asked = question.row_lengths()
    kept = tf.minimum(asked, min(max_question_length, (max_length - NUM_SPECIAL) // 2))
    room = max_length - NUM_SPECIAL - kept  # (N,) at least half of it
    found = windows(ids.row_lengths(), room, tf.minimum(tf.constant(stride, tf.int64), room - (room + 3) // 4))

    # The pool of ids: [CLS], [SEP], all questions, all contexts.
    begin_context = 2 + tf.size(question.values, tf.int64)
    zero, one = tf.zeros_like(found.start), tf.ones_like(found.start)
    starts = [
        zero,
        2 + tf.gather(question.row_starts(), found.text),
        one,
        begin_context + tf.gather(ids.row_starts(), found.text) + found.start,
        one,
    ]
    counts = [one, tf.gather(kept, found.text), one, found.length, one]
    source, splits = ranges(tf.reshape(tf.stack(starts, 1), [-1]), tf.reshape(tf.stack(counts, 1), [-1]))

    def sequences(values: tf.Tensor) -> tf.RaggedTensor:
        return tf.RaggedTensor.from_row_splits(values, splits[:: len(starts)], validate=False)

    def of_context(values: tf.Tensor) -> tf.Tensor:
        return tf.gather(tf.concat([tf.fill([begin_context], NO_PLACE), values], 0), source)

    pool = tf.concat([[vocabulary.cls_id, vocabulary.sep_id], question.values, ids.values], 0)
    segment_of_slice = tf.tile(tf.constant([0, 0, 0, 1, 1]), [tf.size(found.start)])
    return Sequences(
        sequences(tf.gather(pool, source)),
        sequences(tf.repeat(segment_of_slice, splits[1:] - splits[:-1])),
        asked > kept,
        found.counts,
        tf.cast(found.start, tf.int32),
        {"start": of_context(begins.values), "end": of_context(ends.values)},
    )
