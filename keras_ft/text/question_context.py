"""A question with each window of a context: [CLS] question [SEP] window [SEP], or as the vocabulary frames pairs."""

import tensorflow as tf

from keras_ft.text.assemble import Sequences
from keras_ft.text.framing import Framing
from keras_ft.text.ranges import ranges
from keras_ft.text.windows import windows

NO_PLACE = -1
Context = tuple[tf.RaggedTensor, tf.RaggedTensor, tf.RaggedTensor]


def question_context(
    question: tf.RaggedTensor,
    context: Context,
    vocabulary: Framing,
    max_length: int,
    max_question_length: int,
    stride: int,
) -> Sequences:
    """Every context cut into windows, its question before each of them.

    Args:
        question: int32 ids `[N, None]`; cut on the right at `max_question_length`, and at half of what the frame leaves
            of `max_length`.
        context: int32 ids, and where each token begins and ends in its text, `[N, None]` each.
        vocabulary: says what frames the two.
        max_length: tokens in a sequence, at least two more than the frame has.
        max_question_length: tokens of a question.
        stride: tokens that two neighbouring windows share; at most three quarters of a window.

    Returns:
        A sequence for each window, one at least for each example. Its features along tokens are `start` and `end`, as
        the context's tokens have them, −1 for all other tokens. `truncated` says whether the question was cut.
    """
    begin, between, behind = (
        tf.constant(ids, tf.int32) for ids in (vocabulary.begin_ids, vocabulary.between_ids, vocabulary.end_ids)
    )
    num_begin, num_between, num_behind = (ids.shape[0] for ids in (begin, between, behind))
    most = max_length - num_begin - num_between - num_behind
    question = question.with_row_splits_dtype(tf.int64)
    ids, first, last = (tensor.with_row_splits_dtype(tf.int64) for tensor in context)
    asked = question.row_lengths()
    kept = tf.minimum(asked, min(max_question_length, most // 2))
    room = most - kept  # (N,)
    found = windows(ids.row_lengths(), room, tf.minimum(tf.constant(stride, tf.int64), room - (room + 3) // 4))

    # The pool of ids: the frame, all questions, all contexts.
    begin_question = num_begin + num_between + num_behind
    begin_context = begin_question + tf.size(question.values, tf.int64)
    zero, one = tf.zeros_like(found.start), tf.ones_like(found.start)
    starts = [
        zero,
        begin_question + tf.gather(question.row_starts(), found.text),
        num_begin * one,
        begin_context + tf.gather(ids.row_starts(), found.text) + found.start,
        (num_begin + num_between) * one,
    ]
    counts = [num_begin * one, tf.gather(kept, found.text), num_between * one, found.length, num_behind * one]
    source, splits = ranges(tf.reshape(tf.stack(starts, 1), [-1]), tf.reshape(tf.stack(counts, 1), [-1]))

    def sequences(values: tf.Tensor) -> tf.RaggedTensor:
        return tf.RaggedTensor.from_row_splits(values, splits[:: len(starts)], validate=False)

    def of_context(values: tf.Tensor) -> tf.Tensor:
        return tf.gather(tf.concat([tf.fill([begin_context], NO_PLACE), values], 0), source)

    pool = tf.concat([begin, between, behind, question.values, ids.values], 0)
    segment_of_slice = vocabulary.second_segment * tf.tile(tf.constant([0, 0, 0, 1, 1]), [tf.size(found.start)])
    return Sequences(
        sequences(tf.gather(pool, source)),
        sequences(tf.repeat(segment_of_slice, splits[1:] - splits[:-1])),
        asked > kept,
        found.counts,
        tf.cast(found.start, tf.int32),
        {"start": of_context(first.values), "end": of_context(last.values)},
    )
