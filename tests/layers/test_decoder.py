import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from keras_ft.batch import TokenBatch
from keras_ft.layers.arithmetic import GPT2_ARITHMETIC, Arithmetic
from keras_ft.layers.decoder import decode
from keras_ft.layers.gpt2_view import gpt2_view
from keras_ft.layers.random import Key
from tests.layers.decoder_batches import IDS, LENGTHS, ROW_LENGTH, ROWS, make_backbone, ragged, rows


@pytest.fixture(scope="module")
def backbone():
    return make_backbone()


@pytest.fixture(scope="module")
def expected(backbone) -> np.ndarray:
    """What keras-hub computes on padded rows, token by token."""
    return keras_hub_states(backbone).numpy()


def keras_hub_states(backbone) -> tf.Tensor:
    batch = ragged()
    mask = tf.cast(batch.to_rows(batch.token_weights) > 0, tf.int32)
    padded = backbone({"token_ids": batch.to_rows(batch.ids), "padding_mask": mask})
    return tf.gather_nd(padded, tf.stack([batch.sequence, batch.positions], axis=1))


def in_order(states: np.ndarray) -> np.ndarray:
    """The tokens of the rows layout as the ragged one has them; filler is left out."""
    return np.concatenate([states[start : start + length] for start, length in ROWS])


def test_padding_free_forward_equals_keras_hub_on_padded_rows(backbone, expected):
    states = decode(gpt2_view(backbone, GPT2_ARITHMETIC), ragged())
    assert states.shape == (sum(LENGTHS), 32)
    np.testing.assert_allclose(states, expected, atol=1e-5)


def test_several_sequences_in_a_row_do_not_see_each_other(backbone, expected):
    states = decode(gpt2_view(backbone, GPT2_ARITHMETIC), rows())
    assert states.shape[0] == 3 * ROW_LENGTH
    np.testing.assert_allclose(in_order(states.numpy()), expected, atol=1e-5)


@pytest.fixture(scope="module")
def slope() -> np.ndarray:
    return np.random.default_rng(2).normal(size=(sum(LENGTHS), 32)).astype("float32")


@pytest.fixture(scope="module")
def expected_gradients(backbone, slope) -> list[np.ndarray]:
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(keras_hub_states(backbone) * slope)
    return dense(tape.gradient(total, [v.value for v in backbone.trainable_variables]))


def dense(gradients) -> list[np.ndarray]:
    return [tf.convert_to_tensor(gradient).numpy() for gradient in gradients]


@pytest.mark.parametrize("layout", ["ragged", "rows", "recomputed"])
def test_gradients_are_those_of_keras_hub(backbone, slope, expected_gradients, layout):
    variables = backbone.trainable_variables
    with tf.GradientTape() as tape:
        view = gpt2_view(backbone, GPT2_ARITHMETIC, recompute=layout == "recomputed")
        states = decode(view, rows() if layout == "rows" else ragged(), 0.0, Key.from_seed(0))
        if layout == "rows":
            states = tf.concat([states[start : start + length] for start, length in ROWS], axis=0)
        total = tf.reduce_sum(states * slope)
    gradients = dense(tape.gradient(total, [v.value for v in variables]))
    for variable, ours, theirs in zip(variables, gradients, expected_gradients, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=2e-5 * max(1.0, np.abs(theirs).max()), err_msg=variable.path)


@pytest.mark.filterwarnings("ignore:You are using a softmax over axis -1")  # of a text of one token
def test_a_text_gets_the_same_states_alone_and_in_a_batch(backbone, expected):
    view = gpt2_view(backbone, GPT2_ARITHMETIC)
    start = 0
    for length in LENGTHS:
        alone = TokenBatch.from_lengths(tf.constant(IDS[start : start + length]), tf.constant([length]))
        np.testing.assert_allclose(decode(view, alone), expected[start : start + length], atol=1e-5)
        start += length


def test_no_token_sees_one_behind_it(backbone, expected):
    changed = IDS.copy()
    last = np.cumsum(LENGTHS) - 1
    changed[last] = (changed[last] + 1) % 100
    batch = TokenBatch.from_lengths(tf.constant(changed), tf.constant(LENGTHS))
    states = decode(gpt2_view(backbone, GPT2_ARITHMETIC), batch).numpy()
    others = np.delete(np.arange(len(IDS)), last)
    np.testing.assert_allclose(states[others], expected[others], atol=1e-5)
    assert np.abs(states[last] - expected[last]).max(axis=1).min() > 1e-2


def test_the_checkpoints_own_activation_and_epsilon_are_followed(backbone, expected):
    exact = decode(gpt2_view(backbone, Arithmetic("gelu", 1e-5)), ragged()).numpy()
    large_epsilon = decode(gpt2_view(backbone, Arithmetic("gelu_new", 1e-1)), ragged()).numpy()
    assert 1e-5 < np.abs(exact - expected).max() < 1e-1
    assert np.abs(large_epsilon - expected).max() > 1e-2


def test_bfloat16_stays_near_float32(backbone, expected):
    narrow = decode(gpt2_view(backbone, GPT2_ARITHMETIC, "bfloat16"), ragged())
    assert narrow.dtype == tf.bfloat16
    assert np.abs(tf.cast(narrow, tf.float32) - expected).mean() < 0.02


def test_dropout_follows_the_key(backbone, expected):
    view = gpt2_view(backbone, GPT2_ARITHMETIC)
    first = decode(view, ragged(), 0.1, Key.from_seed(0).fold(1)).numpy()
    assert np.array_equal(first, decode(view, ragged(), 0.1, Key.from_seed(0).fold(1)))
    assert np.abs(first - decode(view, ragged(), 0.1, Key.from_seed(0).fold(2))).max() > 1e-2
    assert np.abs(first - expected).max() > 1e-2


@pytest.mark.slow
def test_states_and_gradients_are_the_same_under_jax(expected, slope, expected_gradients, tmp_path):
    """In a process of its own: a process has one backend."""
    gradients = {f"gradient_{number}": gradient for number, gradient in enumerate(expected_gradients)}
    np.savez(tmp_path / "expected.npz", states=expected, slope=slope, **gradients)
    environment = {**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, "-m", "tests.layers.decoder_under_jax", str(tmp_path / "expected.npz")]
    root = Path(__file__).parents[2]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=root)
    assert done.returncode == 0, done.stdout + done.stderr
