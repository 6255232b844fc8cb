"""A random field in both layouts, against every sequence of tags there is."""

import itertools

import numpy as np
import pytest
import tensorflow as tf
from scipy.special import logsumexp

from keras_ft.batch import TokenBatch
from keras_ft.data.plans import evaluation_steps
from keras_ft.data.steps import assemble
from keras_ft.layers.crf import NEVER, Transitions, best_tags, log_marginals, negative_log_likelihood
from keras_ft.layers.word_grid import WordGrid
from keras_ft.tasks.tag_schemes import forbidden, tag_names
from tests.training.tagging_steps import PLAIN, make_arrays

TAGS = 3
RNG = np.random.default_rng(0)
PACKED = RNG.normal(size=(TAGS + 2, TAGS)).astype("float32")


@pytest.fixture(scope="module")
def arrays(tmp_path_factory):
    """Examples of one to three sequences, some without a word."""
    arrays = make_arrays(tmp_path_factory.mktemp("arrays"))
    words = np.array([arrays.gather(np.array([i]))["word_start"].sum() for i in range(arrays.num_examples)])
    return arrays.select(np.flatnonzero(words <= 8))


def parts_of(arrays, layout: str):
    """Each part's batch, and the numbers of its real examples."""
    for step in evaluation_steps(layout, arrays.lengths, 4):
        tensors = assemble(arrays, step.parts[0], step.shape)
        indices = tensors.pop("indices")
        yield TokenBatch.from_tensors(tensors, PLAIN.axes), indices


@pytest.mark.parametrize("layout", ["ragged", "rows"])
def test_likelihood_marginals_and_best_tags_are_those_of_all_sequences_counted(arrays, layout):
    seen = 0
    for batch, indices in parts_of(arrays, layout):
        is_word = np.array(batch.features["word_start"])
        logits = RNG.normal(size=(len(is_word), TAGS)).astype("float32")
        tags = RNG.integers(0, TAGS, len(is_word)).astype("int32")
        nats, best, marginals = computed(batch, is_word, logits, tags)
        assert not nats[~is_word].any()
        example = np.array(batch.example_of_token())
        for number, index in enumerate(indices):
            words = np.flatnonzero((example == number) & is_word)
            if index < 0 or not len(words):
                continue
            seen += 1
            weights = every_sequence(logits[words])
            total = logsumexp(list(weights.values()))
            assert nats[words].sum() == pytest.approx(total - weights[tuple(tags[words].tolist())], abs=1e-4)
            assert tuple(best[words].tolist()) == max(weights, key=weights.__getitem__)
            for place, tag in itertools.product(range(len(words)), range(TAGS)):
                having = logsumexp([weight for sequence, weight in weights.items() if sequence[place] == tag])
                assert marginals[words[place], tag] == pytest.approx(having - total, abs=1e-4)
    assert seen >= 5


def computed(batch: TokenBatch, is_word: np.ndarray, logits: np.ndarray, tags: np.ndarray) -> list[np.ndarray]:
    @tf.function(autograph=False)
    def of_tokens():
        transitions = Transitions.unpacked(tf.constant(PACKED))
        grid = WordGrid.of(batch, tf.constant(is_word))
        laid = grid.laid_out(tf.constant(logits))
        nats = negative_log_likelihood(laid, grid.laid_out(tf.constant(tags)), transitions, grid)
        found = nats, best_tags(laid, transitions, grid), log_marginals(laid, transitions, grid)
        return [grid.of_tokens(values) for values in found]

    return [tensor.numpy() for tensor in of_tokens()]


def every_sequence(logits: np.ndarray) -> dict[tuple[int, ...], float]:
    found = {}
    for tags in itertools.product(range(TAGS), repeat=len(logits)):
        between = sum(PACKED[one, other] for one, other in itertools.pairwise(tags))
        ends = PACKED[TAGS][tags[0]] + PACKED[TAGS + 1][tags[-1]]
        found[tags] = float(sum(logits[i, tag] for i, tag in enumerate(tags)) + between + ends)
    return found


def compiled(function, *arguments) -> np.ndarray:
    return tf.function(lambda: function(*arguments), autograph=False)().numpy()


def one_lane(count: int, seed: int) -> tuple[WordGrid, tf.Tensor]:
    batch = TokenBatch.from_lengths(np.zeros(count, "int32"), np.array([count]))
    logits = 5 * np.random.default_rng(seed).normal(size=(count, 5)).astype("float32")
    return WordGrid.of(batch, np.ones(count, bool)), tf.constant(logits[None])


def test_what_bio_forbids_never_comes_out():
    first, between = (NEVER * mask.astype("float32") for mask in forbidden(2))
    names = tag_names(["X", "Y"])
    for seed in range(3):
        grid, logits = one_lane(200, seed)
        tags = compiled(best_tags, logits, Transitions(between, first, np.zeros(5, "float32")), grid)[0]
        written = [names[tag] for tag in tags]
        assert any(name.startswith("I") for name in written)
        for before, tag in itertools.pairwise(["O", *written]):
            assert not tag.startswith("I") or before[2:] == tag[2:]


def test_a_long_text_loses_no_digits():
    grid, logits = one_lane(5000, 0)
    transitions = Transitions.unpacked(tf.constant(np.random.default_rng(1).normal(size=(7, 5)).astype("float32")))
    far = compiled(log_marginals, logits, transitions, grid)[0, -500:]
    near_grid, _ = one_lane(600, 0)
    near = compiled(log_marginals, logits[:, -600:], transitions, near_grid)[0, -500:]
    np.testing.assert_allclose(np.exp(far), np.exp(near), atol=1e-5)
