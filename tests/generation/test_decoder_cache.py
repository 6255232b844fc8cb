import numpy as np
import pytest
import tensorflow as tf
from writing import END, WithoutCache, Writing

from keras_ft.generation.cache import STRETCH, Cache


@pytest.fixture(scope="module")
def naive(view) -> WithoutCache:
    return WithoutCache(view)


def some_prompts(*lengths: int) -> list[list[int]]:
    rng = np.random.default_rng(8)
    return [rng.integers(0, 449, length).tolist() for length in lengths]


def test_greedy_texts_of_several_stretches_equal_those_of_a_model_without_cache(view, naive):
    together = some_prompts(3, STRETCH, STRETCH - 1, 1)
    texts = Writing(view, max_new_tokens=200)(together)
    assert len(texts[0]) == 200
    for prompt, text in zip(together, texts, strict=True):
        expected = naive.most_probable(prompt, text)
        assert text == expected[:-1]
        assert len(text) == min(200, 256 - len(prompt)) or expected[-1] == END


@pytest.mark.parametrize("options", [{"do_sample": True, "seed": 5}, {"num_beams": 3, "no_repeat_ngram": 2}], ids=str)
def test_scores_of_long_varied_texts_equal_those_of_a_model_without_cache(view, naive, options):
    together = some_prompts(3, STRETCH)
    written = Writing(view, max_new_tokens=150, length_penalty=0.0, **options).written(together)
    assert max(map(len, written.ids.to_list())) > 2 * STRETCH
    for prompt, text, score, count in zip(
        together, written.ids.to_list(), written.score, written.num_tokens, strict=True
    ):
        assert len(set(text)) > 20
        whole = text + [END] * (int(count) - len(text))
        assert float(score) == pytest.approx(naive.log_probability(prompt, whole), abs=2e-3)


def test_a_model_writes_up_to_its_last_position(view):
    prompts = some_prompts(256, 255, 250, 2)
    writing = Writing(view, max_new_tokens=20)
    written = writing.written(prompts)
    assert written.num_tokens.numpy().tolist()[:3] == [0, 1, 6]
    assert written.score[0] == 0
    assert written.ids.to_list()[3] == writing(prompts[3:])[0]


def test_rows_are_taken_in_order_and_may_repeat():
    tensor = tf.reshape(tf.range(3 * 2 * 4 * 5), [6, 4, 5])  # (rows * heads, places, head_dim)
    cache = Cache([tensor], [tensor + 1000]).rows(tf.constant([2, 0, 0]), num_heads=2)
    rows = tensor.numpy().reshape(3, 2, 4, 5)[[2, 0, 0]].reshape(6, 4, 5)
    np.testing.assert_array_equal(cache.keys[0], rows)
    np.testing.assert_array_equal(cache.values[0], rows + 1000)


@pytest.mark.parametrize(
    ("places", "grown"), [(0, 32), (1, 32), (31, 32), (32, 64), (100, 128), (512, 576), (900, 992)]
)
def test_a_cache_grows_to_the_next_stretch(places, grown):
    tensor = tf.ones([4, places, 2])
    larger = Cache([tensor], [tensor]).grown()
    assert larger.places == grown
    assert tf.reduce_sum(larger.values[0]) == 4 * places * 2
