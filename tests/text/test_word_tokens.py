import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_ft.text.assemble import single_in_windows
from keras_ft.text.vocabulary import Vocabulary
from keras_ft.text.windows import windows
from keras_ft.text.word_tokens import first_tokens, is_best_context
from keras_ft.text.words_of_text import TextWords


def found(words: list[list[tuple[int, int]]], tokens: list[list[tuple[int, int]]]) -> list[tuple[bool, int, int]]:
    flat = np.array([span for row in words for span in row], np.int32).reshape(-1, 2)
    splits = np.concatenate([[0], np.cumsum([len(row) for row in words])])
    ragged = tf.ragged.constant([[list(s) for s in row] for row in tokens], tf.int32, inner_shape=(2,))
    starts, ends = ragged.with_values(ragged.values[:, 0]), ragged.with_values(ragged.values[:, 1])
    said = first_tokens(TextWords(flat[:, 0], flat[:, 1], splits), starts, ends)
    return list(zip(*(tensor.numpy().tolist() for tensor in said), strict=True))


NOT = (False, 0, 0)


def test_the_first_token_of_each_word_speaks_for_it():
    words = [[(0, 3), (4, 8)], [], [(1, 3)]]
    tokens = [[(0, 2), (2, 3), (4, 6), (6, 8)], [], [(1, 2), (2, 3)]]
    assert found(words, tokens) == [(True, 0, 3), NOT, (True, 4, 8), NOT, (True, 1, 3), NOT]


def test_words_that_share_a_token_are_one_and_a_word_without_a_token_is_none():
    words = [[(0, 2), (2, 3), (4, 5), (6, 7)]]
    tokens = [[(0, 1), (1, 3), (3, 4), (6, 7)]]  # the second covers two words, the third a space, none the third word
    assert found(words, tokens) == [(True, 0, 3), NOT, NOT, (True, 6, 7)]


def test_bytes_of_one_character_are_one_word():
    assert found([[(0, 1), (1, 2)]], [[(0, 1), (0, 1), (0, 1), (1, 2)]]) == [(True, 0, 1), NOT, NOT, (True, 1, 2)]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 40), max_size=4), st.integers(1, 9), st.integers(0, 12))
def test_each_token_of_a_text_is_taken_once_from_the_window_with_most_context(lengths, room, stride):
    cut = windows(tf.constant(lengths, tf.int64), tf.fill([len(lengths)], tf.constant(room, tf.int64)), stride)
    starts = np.cumsum(lengths, dtype=np.int64) - lengths
    tokens, splits = cut.tokens(tf.constant(starts, tf.int64))
    window = np.repeat(np.arange(len(splits) - 1), np.diff(splits))
    place = tokens.numpy() - starts[cut.text.numpy()[window]] if len(window) else np.zeros(0, np.int64)
    taken = is_best_context(cut, tf.constant(window, tf.int64), tf.constant(place, tf.int64)).numpy()
    text, begin, size = cut.text.numpy()[window], cut.start.numpy()[window], cut.length.numpy()[window]
    chosen = list(zip(text[taken], place[taken], strict=True))
    assert chosen == [(i, p) for i, length in enumerate(lengths) for p in range(length)]  # once each, and in order
    left = np.where(begin == 0, 10**6, place - begin)
    whole = begin + size == np.array(lengths, int)[text] if len(text) else np.zeros(0, bool)
    context = np.minimum(left, np.where(whole, 10**6, begin + size - 1 - place))
    for t, p, c in zip(text[taken], place[taken], context[taken], strict=True):
        assert c == context[(text == t) & (place == p)].max()


def test_windows_are_framed_and_their_tokens_known():
    vocabulary = Vocabulary(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "b", "c", "d", "e"])
    ids = tf.ragged.constant([[4, 5, 6, 7, 8], [], [5]], tf.int32)
    sequences, cut, source = single_in_windows(ids, vocabulary, 5, 1)
    assert sequences.ids.to_list() == [[2, 4, 5, 6, 3], [2, 6, 7, 8, 3], [2, 3], [2, 5, 3]]
    assert source.numpy().tolist() == [-1, 0, 1, 2, -1, -1, 2, 3, 4, -1, -1, -1, -1, 5, -1]
    assert sequences.counts.numpy().tolist() == [2, 1, 1]
    assert sequences.window_start.numpy().tolist() == [0, 2, 0, 0]
    assert cut.text.numpy().tolist() == [0, 0, 1, 2]


def test_a_length_without_room_for_a_token_is_refused():
    from keras_ft.errors import RequestError

    vocabulary = Vocabulary(["[PAD]", "[UNK]", "[CLS]", "[SEP]"])
    with pytest.raises(RequestError, match="max_length 2 is too small"):
        single_in_windows(tf.ragged.constant([[1]], tf.int32), vocabulary, 2, 0)
