import pytest
import tensorflow as tf
from bert_reference import reference
from tokenizers.processors import BertProcessing, RobertaProcessing

from keras_ft.errors import RequestError
from keras_ft.text import assemble

LENGTHS = range(10)


class AsRoberta:
    """How RoBERTa frames texts, over BERT's tokens."""

    def __init__(self, vocabulary):
        self.begin_ids, self.end_ids = [vocabulary.cls_id], [vocabulary.sep_id]
        self.between_ids, self.second_segment = 2 * self.end_ids, 0


@pytest.fixture(scope="module")
def framing_reference(small_vocabulary):
    tokenizer = reference(small_vocabulary)
    tokenizer.post_processor = BertProcessing(("[SEP]", small_vocabulary.sep_id), ("[CLS]", small_vocabulary.cls_id))
    return tokenizer


def rows(tokens, vocabulary):
    """Words as text and as ids."""
    texts = [" ".join(row) for row in tokens]
    return texts, tf.ragged.constant([[vocabulary.token_to_id[t] for t in row] for row in tokens], tf.int32)


def parts(sequences):
    return sequences.ids, sequences.segments, sequences.truncated


@pytest.mark.parametrize("max_length", range(3, 20))
def test_pair_truncates_as_longest_first_does(framing_reference, small_vocabulary, max_length):
    lengths = [(a, b) for a in LENGTHS for b in LENGTHS]
    words = ["the", "play", "hello", "cafe", "x", "1", "!", "北", "京", "天"]
    texts_a, a = rows([words[:n] for n, _ in lengths], small_vocabulary)
    texts_b, b = rows([words[::-1][:n] for _, n in lengths], small_vocabulary)
    framing_reference.enable_truncation(max_length, strategy="longest_first")
    expected = framing_reference.encode_batch(list(zip(texts_a, texts_b, strict=True)))

    ids, segments, truncated = tf.function(lambda a, b: parts(assemble.pair(a, b, small_vocabulary, max_length)))(a, b)
    assert ids.to_list() == [e.ids for e in expected]
    assert segments.to_list() == [e.type_ids for e in expected]
    assert truncated.numpy().tolist() == [a + b + 3 > max_length for a, b in lengths]
    assert (ids.dtype, segments.dtype) == (tf.int32, tf.int32)


@pytest.mark.parametrize("max_length", range(2, 9))
def test_single_truncates_on_the_right(framing_reference, small_vocabulary, max_length):
    texts, ids = rows([["the", "play", "hello", "x", "1"][:n] for n in range(6)], small_vocabulary)
    framing_reference.enable_truncation(max_length)
    expected = framing_reference.encode_batch(texts)

    ids, segments, truncated = tf.function(lambda ids: parts(assemble.single(ids, small_vocabulary, max_length)))(ids)
    assert ids.to_list() == [e.ids for e in expected]
    assert segments.to_list() == [e.type_ids for e in expected]
    assert truncated.numpy().tolist() == [n + 2 > max_length for n in range(6)]


@pytest.mark.parametrize("max_length", [4, 5, 8, 11, 20])
def test_robertas_frame_and_truncation_are_the_references(small_vocabulary, max_length):
    expected = reference(small_vocabulary)
    ends = ("[SEP]", small_vocabulary.sep_id), ("[CLS]", small_vocabulary.cls_id)
    expected.post_processor = RobertaProcessing(*ends)
    expected.enable_truncation(max_length, strategy="longest_first")
    words = ["the", "play", "hello", "cafe", "x", "1", "!", "北", "京", "天"]
    texts_a, a = rows([words[:n] for n in LENGTHS for _ in LENGTHS], small_vocabulary)
    texts_b, b = rows([words[::-1][:n] for _ in LENGTHS for n in LENGTHS], small_vocabulary)
    framing = AsRoberta(small_vocabulary)

    pairs = assemble.pair(a, b, framing, max_length)
    encoded = expected.encode_batch(list(zip(texts_a, texts_b, strict=True)))
    assert pairs.ids.to_list() == [e.ids for e in encoded]
    assert pairs.segments.to_list() == [e.type_ids for e in encoded]
    encoded = expected.encode_batch(texts_a)
    assert assemble.single(a, framing, max_length).ids.to_list() == [e.ids for e in encoded]


def test_no_rows_give_no_sequences(small_vocabulary):
    none = tf.RaggedTensor.from_row_lengths(tf.zeros([0], tf.int32), tf.zeros([0], tf.int64))
    assert assemble.single(none, small_vocabulary, 8).ids.to_list() == []
    assert assemble.pair(none, none, small_vocabulary, 8).ids.to_list() == []


def test_row_splits_may_be_int32(small_vocabulary):
    ids = tf.ragged.constant([[7, 8], []], tf.int32, row_splits_dtype=tf.int32)
    assert assemble.pair(ids, ids, small_vocabulary, 8).ids.to_list() == [[2, 7, 8, 3, 7, 8, 3], [2, 3, 3]]
    assert assemble.single(ids, small_vocabulary, 3).ids.to_list() == [[2, 7, 3], [2, 3]]


def test_no_room_for_the_frame_is_refused(small_vocabulary):
    ids = tf.ragged.constant([[7]], tf.int32)
    with pytest.raises(RequestError, match="max_length 1 is too small"):
        assemble.single(ids, small_vocabulary, 1)
    with pytest.raises(RequestError, match="max_length 2 is too small"):
        assemble.pair(ids, ids, small_vocabulary, 2)
