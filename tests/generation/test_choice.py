import numpy as np
import pytest
import tensorflow as tf
from scipy.stats import chisquare

from keras_ft.generation.choice import CANDIDATES, drawn, most_probable, numbers_to_draw_with
from keras_ft.generation.options import GenerationOptions
from keras_ft.generation.rules import NEVER
from keras_ft.generation.settings import Settings

LOGITS = np.random.default_rng(0).normal(0, 2, 12).astype("float32")
SEEDS = 4000


def settings(rows: int, **values) -> Settings:
    return Settings.of(GenerationOptions(do_sample=True, **values), rows)


def kept(logits: np.ndarray, temperature=1.0, top_k=0, top_p=1.0) -> np.ndarray:
    """The probabilities to draw with, in float64."""
    odds = np.exp(logits.astype("float64") / temperature)
    order = np.argsort(-odds, kind="stable")
    odds[order[top_k or len(odds) :]] = 0
    odds /= odds.sum()
    before = np.cumsum(odds[order]) - odds[order]
    odds[order[before >= top_p]] = 0
    return odds / odds.sum()


def many(logits: np.ndarray, rows: int) -> tf.Tensor:
    return tf.tile(tf.constant(logits)[None], [rows, 1])


FILTERS = [{}, {"temperature": 0.5}, {"temperature": 3.0}, {"top_k": 4}, {"top_p": 0.7}]
FILTERS += [{"top_k": 5, "top_p": 0.8, "temperature": 1.5}, {"top_k": 1}, {"top_k": 99}, {"top_p": 1e-6}]


@pytest.fixture(scope="module")
def numbers() -> tf.Tensor:
    return tf.function(numbers_to_draw_with)(tf.range(SEEDS), tf.constant(2))


@pytest.mark.parametrize("values", FILTERS, ids=str)
def test_tokens_of_many_seeds_have_the_asked_distribution(numbers, values):
    expected = kept(LOGITS, **values)
    for step in range(2):
        tokens = drawn(many(LOGITS, SEEDS), settings(SEEDS, **values), numbers[:, step]).numpy()
        counts = np.bincount(tokens, minlength=12)
        assert not counts[expected == 0].any()
        likely = expected > 0
        if likely.sum() > 1:
            assert chisquare(counts[likely], expected[likely] * SEEDS).pvalue > 1e-3


@pytest.mark.parametrize("values", [{}, {"top_p": 0.9}, {"top_k": 300}, {"top_k": 300, "top_p": 0.5}], ids=str)
def test_the_whole_vocabulary_is_looked_at_where_the_best_are_not_enough(values):
    logits = np.random.default_rng(1).normal(0, 0.3, 4 * CANDIDATES).astype("float32")
    expected = kept(logits, **values)
    number = np.random.default_rng(2).random(3000).astype("float32")
    tokens = drawn(many(logits, 3000), settings(3000, **values), tf.constant(number)).numpy()
    order = np.arange(len(logits)) if not values else np.argsort(-logits, kind="stable")
    inverted = order[np.searchsorted(np.cumsum(expected[order]), number, side="right")]
    assert np.mean(tokens == inverted) > 0.99  # float32 sums put some numbers beside a border on its other side
    assert (expected[tokens] > 0).all()
    assert len(np.unique(tokens)) > (CANDIDATES // 2 if values.get("top_p") == 0.5 else CANDIDATES)


def test_rows_with_other_settings_do_not_matter():
    rng = np.random.default_rng(3)
    logits = tf.constant(rng.normal(0, 2, (6, 600)), tf.float32)
    number = tf.constant(rng.random(6), tf.float32)
    mixed = settings(6)._replace(
        temperature=tf.constant([1, 0, 0.5, 2, 1, 3], tf.float32),
        top_k=tf.constant([0, 5, 3, 0, 400, 0]),
        top_p=tf.constant([1, 0.5, 1, 0.9, 0.99, 1.0], tf.float32),
    )
    together = drawn(logits, mixed, number).numpy().tolist()
    for row in range(6):
        alone = Settings(*(values[row : row + 1] for values in mixed))
        assert drawn(logits[row : row + 1], alone, number[row : row + 1]).numpy().tolist() == [together[row]]


@pytest.mark.parametrize("temperature", [0.0, 1e-45, 1e-37, 1e-30])
@pytest.mark.parametrize("values", [{}, {"top_k": 3}, {"top_p": 0.9}], ids=str)
def test_at_the_lowest_temperatures_the_most_probable_token_is_taken(temperature, values):
    logits = np.random.default_rng(4).normal(0, 50, (64, 12)).astype("float32")
    number = tf.constant(np.random.default_rng(5).random(64), tf.float32)
    tokens = drawn(tf.constant(logits), settings(64, temperature=temperature, **values), number)
    np.testing.assert_array_equal(tokens, most_probable(tf.constant(logits)))


@pytest.mark.parametrize("temperature", [1.0, 1e9, 3e38])
@pytest.mark.parametrize("values", [{}, {"top_k": 10}, {"top_p": 0.9}], ids=str)
def test_no_temperature_draws_what_is_forbidden(temperature, values):
    logits = tf.tensor_scatter_nd_update(tf.constant(LOGITS), [[0], [3], [7]], [NEVER] * 3)[None]
    number = tf.linspace(0.0, 1 - 2**-24, 500)
    tokens = drawn(tf.tile(logits, [500, 1]), settings(500, temperature=temperature, **values), number).numpy()
    assert not np.isin(tokens, [0, 3, 7]).any()


def test_the_first_and_the_last_number_draw_tokens_that_may_be_drawn():
    logits = tf.constant([[NEVER, 0.0, NEVER, 1.0, NEVER]] * 2)
    tokens = drawn(logits, settings(2), tf.constant([0.0, 1 - 2**-24]))
    assert tokens.numpy().tolist() == [1, 3]


def test_numbers_hang_on_the_seed_alone():
    few, many = (numbers_to_draw_with(tf.constant([7, 8, 7]), tf.constant(count)).numpy() for count in (3, 1001))
    np.testing.assert_array_equal(few, many[:, :3])
    np.testing.assert_array_equal(many[0], many[2])
    np.testing.assert_array_equal(numbers_to_draw_with(tf.constant([8]), tf.constant(1001))[0], many[1])
    assert not np.isin(many[0], many[1]).any()
    assert numbers_to_draw_with(tf.zeros([0], tf.int32), tf.constant(3)).shape == (0, 3)
