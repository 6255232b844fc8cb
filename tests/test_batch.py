import keras
import numpy as np
import pytest

from keras_ft.batch import FIELDS, SHORT, TokenBatch
from keras_ft.batch_fields import TOKEN_FIELDS

LENGTHS = [3, 1, 5, 2]


@pytest.fixture
def batch() -> TokenBatch:
    return TokenBatch.from_lengths(np.arange(11, dtype="int32"), np.array(LENGTHS, "int32"))


def test_positions_restart_in_each_sequence(batch):
    assert np.array(batch.positions).tolist() == [0, 1, 2, 0, 0, 1, 2, 3, 4, 0, 1]
    assert np.array(batch.sequence).tolist() == [0, 0, 0, 1, 2, 2, 2, 2, 2, 3, 3]


def test_rows_hold_each_sequence_from_the_left(batch):
    hidden = np.random.default_rng(0).normal(size=(11, 7)).astype("float32")
    rows = np.array(batch.to_rows(hidden))
    assert rows.shape == (4, 5, 7)
    assert np.array_equal(rows[np.array(batch.sequence), np.array(batch.positions)], hidden)
    assert not any(rows[i, length:].any() for i, length in enumerate(LENGTHS))


def test_attention_mask_lets_nobody_look_at_empty_places(batch):
    assert np.array(batch.attention_mask()).sum(axis=(1, 2, 3)).tolist() == LENGTHS


def test_first_and_mean_stay_within_their_sequence(batch):
    hidden = np.random.default_rng(1).normal(size=(11, 4)).astype("float32")
    parts = np.split(hidden, np.cumsum(LENGTHS)[:-1])
    np.testing.assert_allclose(np.array(batch.first(hidden)), [p[0] for p in parts])
    np.testing.assert_allclose(np.array(batch.mean(hidden)), [p.mean(axis=0) for p in parts], rtol=1e-6)


def test_a_mean_over_a_long_text_is_right_in_bfloat16():
    long = TokenBatch.from_lengths(np.zeros(512, "int32"), np.array([512], "int32"))
    hidden = np.random.default_rng(3).normal(1, 1, (512, 8)).astype("float32")
    mean = keras.ops.cast(long.mean(keras.ops.cast(hidden, "bfloat16")), "float32")
    np.testing.assert_allclose(np.array(mean)[0], hidden.mean(axis=0), rtol=2e-2)


def test_filler_tokens_weigh_nothing_in_the_mean(batch):
    tensors = {name: getattr(batch, name) for name in FIELDS}
    weights = np.ones(11, "float32")
    weights[2] = 0
    weighted = TokenBatch.from_tensors(
        {**tensors, "token_weights": weights, "label": np.array([1, 0, 1, 0])}, {"label": "example"}
    )
    hidden = np.random.default_rng(2).normal(size=(11, 4)).astype("float32")
    np.testing.assert_allclose(np.array(weighted.mean(hidden))[0], hidden[:2].mean(axis=0), rtol=1e-6)
    assert weighted.features["label"].tolist() == [1, 0, 1, 0]


def test_a_batch_of_no_sequences_is_empty_not_an_error():
    empty = TokenBatch.from_lengths(np.zeros(0, "int32"), np.zeros(0, "int32"))
    assert keras.ops.shape(empty.to_rows(np.zeros((0, 4), "float32")))[0] == 0
    assert np.array(empty.mean(np.zeros((0, 4), "float32"))).shape == (0, 4)


@pytest.fixture
def in_rows() -> TokenBatch:
    """The same four sequences in two rows of 8 slots: the longest and the first, then the other two; and a fifth slot."""
    first_token = [5, 10, 0, 8]
    sequence = np.full(16, 5, "int32")
    positions = np.zeros(16, "int32")
    for number, (first, length) in enumerate(zip(first_token, LENGTHS, strict=True)):
        sequence[first : first + length] = number
        positions[first : first + length] = range(length)
    tensors = {
        "ids": np.arange(16),
        "positions": positions,
        "segments": np.zeros(16),
        "sequence": sequence,
        "token_weights": (sequence < 5).astype("float32"),
        "mark": np.arange(16) * 10,
    }
    tensors = {name: values.reshape(2, 8) for name, values in tensors.items()}
    tensors |= {
        "example_of_sequence": np.arange(5),
        "window_start": np.zeros(5),
        "first_token": np.array([*first_token, 0]),
        "example_weights": np.array([1, 1, 1, 1, 0], "float32"),
        "pair": np.zeros((5, 2)),
    }
    return TokenBatch.from_tensors(tensors, {"mark": "token", "pair": "example"})


def test_in_rows_first_and_mean_find_each_sequence_and_no_filler(in_rows):
    hidden = np.random.default_rng(1).normal(size=(16, 4)).astype("float32")
    parts = [hidden[5:8], hidden[10:11], hidden[0:5], hidden[8:10]]
    np.testing.assert_allclose(np.array(in_rows.first(hidden))[:4], [p[0] for p in parts])
    np.testing.assert_allclose(np.array(in_rows.mean(hidden))[:4], [p.mean(axis=0) for p in parts], rtol=1e-6)
    assert np.array_equal(np.array(in_rows.mean(hidden))[4], np.zeros(4)), "a slot without a sequence must stay finite"


def test_in_rows_a_query_sees_its_own_sequence_alone(in_rows):
    mask = np.array(in_rows.attention_mask())  # (rows, 1, queries, keys)
    assert mask.shape == (2, 1, 8, 8)
    assert mask[0, 0].sum(axis=-1).tolist() == [5] * 5 + [3] * 3
    assert mask[1, 0].sum(axis=-1).tolist() == [2, 2, 1] + [5] * 5  # filler sees filler, so that no softmax is empty


def test_in_rows_features_of_tokens_lie_as_the_tokens_do(in_rows):
    assert np.array_equal(np.array(in_rows.features["mark"]), 10 * np.array(in_rows.ids))
    assert in_rows.features["pair"].shape == (5, 2)


@pytest.mark.parametrize(
    ("lengths", "tokens", "rows", "longest"),
    [
        ([3, 1, 5, 2], 16, 4, 8),
        ([9], 9, 1, 9),  # a short text alone keeps its shape
        ([1], 1, 1, 1),
        ([SHORT], SHORT, 1, SHORT),
        ([SHORT + 1], SHORT + 8, 1, SHORT + 8),
        ([], 0, 0, 0),
        ([9, 16, 7], 32, 3, 16),
        ([2, 3, 1] * 3, 24, 10, 8),
        ([5] * 17, 88, 20, 8),
        ([257], 272, 1, 272),
        ([300, 300], 608, 2, 304),
    ],
)
def test_layers_meet_few_sizes_and_tokens_see_what_they_saw(lengths, tokens, rows, longest):
    plain = TokenBatch.from_lengths(np.arange(sum(lengths), dtype="int32"), np.array(lengths, "int32"))
    batch = plain.in_few_shapes()
    assert (len(np.array(batch.ids)), int(batch.num_sequences), int(batch.longest)) == (tokens, rows, longest)
    assert np.array_equal(np.array(batch.ids)[: sum(lengths)], np.array(plain.ids))
    assert np.array_equal(np.array(batch.first_token)[: len(lengths)], np.array(plain.first_token))
    seen = np.array(batch.attention_mask()).sum(axis=(1, 2, 3)).tolist()
    assert seen == lengths + [0] * (rows - len(lengths))


def test_rows_keep_their_shape():
    tokens = {name: np.zeros((2, 5), "int32") for name in TOKEN_FIELDS}
    others = {name: np.zeros(2, "int32") for name in FIELDS if name not in TOKEN_FIELDS}
    rows = TokenBatch.from_tensors({**tokens, **others}, {})
    assert rows.in_few_shapes() is rows
