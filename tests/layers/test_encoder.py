import keras
import keras_hub
import numpy as np
import pytest
import tensorflow as tf

from keras_ft.batch import TokenBatch
from keras_ft.layers.arithmetic import Arithmetic
from keras_ft.layers.encoder import encode, pool
from keras_ft.layers.encoder_view import encoder_view
from keras_ft.layers.random import Key

LENGTHS = [5, 17, 1, 9, 32]


@pytest.fixture(scope="module")
def backbone():
    keras.utils.set_random_seed(0)
    made = keras_hub.models.BertBackbone(100, 3, 4, 32, 64, max_sequence_length=40, dropout=0.0)
    rng = np.random.default_rng(0)
    for variable in made.variables:  # no zero biases: a bias in the wrong place must show
        variable.assign(variable.numpy() + rng.normal(0, 0.2, variable.shape))
    return made


def random_batch(lengths: list[int], segments: bool = True) -> TokenBatch:
    rng = np.random.default_rng(1)
    ids = rng.integers(0, 100, sum(lengths)).astype("int32")
    kinds = rng.integers(0, 2, sum(lengths)).astype("int32") if segments else None
    return TokenBatch.from_lengths(tf.constant(ids), tf.constant(lengths, tf.int32), kinds)


def keras_hub_forward(backbone, batch: TokenBatch) -> dict:
    mask = tf.cast(batch.attention_mask()[:, 0, 0, :], tf.int32)
    return backbone(
        {"token_ids": batch.to_rows(batch.ids), "segment_ids": batch.to_rows(batch.segments), "padding_mask": mask}
    )


def test_padding_free_forward_equals_keras_hub_on_padded_rows(backbone):
    batch = random_batch(LENGTHS)
    expected = keras_hub_forward(backbone, batch)
    view = encoder_view(backbone, Arithmetic())
    hidden = encode(view, batch)
    assert hidden.shape == (sum(LENGTHS), 32)
    tokens = expected["sequence_output"].numpy()[batch.sequence, batch.positions]
    np.testing.assert_allclose(hidden, tokens, atol=1e-5)
    np.testing.assert_allclose(pool(view, batch, hidden, "pooler"), expected["pooled_output"], atol=1e-5)


@pytest.mark.filterwarnings("ignore:You are using a softmax over axis -1")  # of a text of one token
def test_a_text_gets_the_same_vector_alone_and_in_a_batch(backbone):
    batch = random_batch(LENGTHS, segments=False)
    view = encoder_view(backbone, Arithmetic())
    together = encode(view, batch).numpy()
    start = 0
    for length in LENGTHS:
        alone = TokenBatch.from_lengths(batch.ids[start : start + length], tf.constant([length]))
        np.testing.assert_allclose(encode(view, alone), together[start : start + length], atol=1e-5)
        start += length


def test_the_checkpoints_own_activation_and_epsilon_are_followed(backbone):
    batch = random_batch(LENGTHS)
    approximate = encode(encoder_view(backbone, Arithmetic("gelu_new")), batch).numpy()
    exact = encode(encoder_view(backbone, Arithmetic("gelu")), batch).numpy()
    large_epsilon = encode(encoder_view(backbone, Arithmetic("gelu_new", 1e-1)), batch).numpy()
    assert 1e-5 < np.abs(approximate - exact).max() < 1e-1
    assert np.abs(approximate - large_epsilon).max() > 1e-2


def test_bfloat16_stays_near_float32(backbone):
    batch = random_batch(LENGTHS)
    wide = encode(encoder_view(backbone, Arithmetic()), batch).numpy()
    narrow = encode(encoder_view(backbone, Arithmetic(), "bfloat16"), batch)
    assert narrow.dtype == tf.bfloat16
    assert np.abs(tf.cast(narrow, tf.float32) - wide).mean() < 0.02


def test_dropout_follows_the_key_and_its_mean_is_the_inference_pass(backbone):
    batch = random_batch([6, 4])
    view = encoder_view(backbone, Arithmetic())
    first = encode(view, batch, 0.1, Key.from_seed(0).fold(1)).numpy()
    assert np.array_equal(first, encode(view, batch, 0.1, Key.from_seed(0).fold(1)))
    assert np.abs(first - encode(view, batch, 0.1, Key.from_seed(0).fold(2))).max() > 1e-2


def test_every_weight_of_the_encoder_learns(backbone):
    batch = random_batch(LENGTHS)
    with tf.GradientTape() as tape:
        view = encoder_view(backbone, Arithmetic())
        hidden = encode(view, batch, 0.1, Key.from_seed(0))
        loss = tf.reduce_sum(pool(view, batch, hidden, "pooler") ** 2)
    gradients = tape.gradient(loss, [v.value for v in backbone.trainable_variables])
    for variable, gradient in zip(backbone.trainable_variables, gradients, strict=True):
        if not variable.path.endswith("key/bias"):  # shifts every score of a query alike: its true gradient is 0
            assert np.abs(tf.convert_to_tensor(gradient)).max() > 1e-6, variable.path
