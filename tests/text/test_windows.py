import hypothesis.strategies as st
import numpy as np
import tensorflow as tf
from hypothesis import given, settings

from keras_ft.text.windows import windows


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 60), st.integers(1, 12)), min_size=1, max_size=5), st.integers(0, 14))
def test_windows_cover_every_token_overlap_by_the_stride_and_are_as_few_as_can_be(texts, stride):
    lengths, rooms = (np.array(column, np.int64) for column in zip(*texts, strict=True))
    found = windows(tf.constant(lengths), tf.constant(rooms), stride)
    number = 0
    for text, (length, room) in enumerate(texts):
        step = room - min(stride, room - 1)
        expected, start = [(0, min(length, room))], 0
        while start + room < length:
            start += step
            expected.append((start, min(room, length - start)))
        mine = slice(number, number + len(expected))
        assert found.counts[text] == len(expected)
        assert found.text[mine].numpy().tolist() == [text] * len(expected)
        assert list(zip(found.start[mine].numpy(), found.length[mine].numpy(), strict=True)) == expected
        number += len(expected)
    assert number == len(found.text)


def test_the_tokens_of_windows_are_those_of_their_texts():
    texts = tf.ragged.constant([[1, 2, 3, 4, 5], [], [6, 7]], row_splits_dtype=tf.int64)
    found = windows(texts.row_lengths(), tf.constant([3, 3, 3], tf.int64), 1)
    places, splits = found.tokens(texts.row_starts())
    rows = tf.RaggedTensor.from_row_splits(tf.gather(texts.values, places), splits)
    assert rows.to_list() == [[1, 2, 3], [3, 4, 5], [], [6, 7]]
