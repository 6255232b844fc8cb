import keras
import numpy as np
import pytest

from keras_ft.batch import TokenBatch

LENGTHS = [3, 1, 5, 2]


@pytest.fixture
def batch() -> TokenBatch:
    return TokenBatch.from_lengths(np.arange(11, dtype="int32"), np.array(LENGTHS, "int32"))


def test_positions_restart_in_each_sequence(batch):
    assert np.array(batch.positions).tolist() == [0, 1, 2, 0, 0, 1, 2, 3, 4, 0, 1]
    assert np.array(batch.sequence).tolist() == [0, 0, 0, 1, 2, 2, 2, 2, 2, 3, 3]


def test_rows_hold_each_sequence_from_the_left_and_come_back_unchanged(batch):
    hidden = np.random.default_rng(0).normal(size=(11, 7)).astype("float32")
    rows = np.array(batch.to_rows(hidden))
    assert rows.shape == (4, 5, 7)
    assert np.array_equal(rows[0, :3], hidden[:3])
    assert not rows[0, 3:].any()
    assert np.array_equal(np.array(batch.from_rows(rows)), hidden)


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
    tensors = {name: getattr(batch, name) for name in ("ids", "positions", "segments", "sequence")}
    tensors |= {"example_of_sequence": batch.example_of_sequence, "window_start": batch.window_start}
    weights = np.ones(11, "float32")
    weights[2] = 0
    weighted = TokenBatch.from_tensors({**tensors, "token_weights": weights, "label": np.array([1, 0, 1, 0])})
    hidden = np.random.default_rng(2).normal(size=(11, 4)).astype("float32")
    np.testing.assert_allclose(np.array(weighted.mean(hidden))[0], hidden[:2].mean(axis=0), rtol=1e-6)
    assert weighted.features["label"].tolist() == [1, 0, 1, 0]


def test_a_batch_of_no_sequences_is_empty_not_an_error():
    empty = TokenBatch.from_lengths(np.zeros(0, "int32"), np.zeros(0, "int32"))
    assert keras.ops.shape(empty.to_rows(np.zeros((0, 4), "float32")))[0] == 0
    assert np.array(empty.mean(np.zeros((0, 4), "float32"))).shape == (0, 4)
