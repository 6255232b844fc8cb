import numpy as np
import pytest
import tensorflow as tf
from writing import Writing

from keras_ft.generation.lookup import look_up
from keras_ft.generation.rules import Texts
from keras_ft.generation.writer import Writer

GUESSES = {
    "after the last two": ([1, 2, 3, 4, 5, 1, 2], [3, 4, 5, 1]),
    "where they came last": ([1, 2, 3, 1, 2, 7, 1, 2], [7, 1, 2, 7]),
    "rather than after the last alone": ([1, 2, 3, 9, 2, 4, 1, 2], [3, 9, 2, 4]),
    "else after the last alone": ([8, 2, 3, 1, 2], [3, 1, 2, 3]),
    "again and again": ([5, 6, 6], [6, 6, 6, 6]),
    "of two tokens": ([6, 6], [6, 6, 6, 6]),
    "none in what is new": ([1, 2, 3], None),
    "none in one token": ([1], None),
}


@pytest.mark.parametrize(("ids", "expected"), GUESSES.values(), ids=GUESSES)
@pytest.mark.parametrize("room", [0, 1, 9])
def test_what_came_before_comes_again(ids, expected, room):
    texts = Texts(tf.constant([ids + [-1] * room]), tf.constant([len(ids)]), tf.constant([1]))
    guess = look_up(texts, 4)
    assert bool(guess.found) == (expected is not None)
    assert guess.tokens.shape == (4,)
    assert min(guess.tokens) >= 0
    if expected:
        assert guess.tokens.numpy().tolist() == expected


WAYS = {
    "greedy": {},
    "many guesses": {"prompt_lookup_num_tokens": 31},
    "drawn": {"do_sample": True, "seed": 3, "top_k": 2},
    "ruled": {"no_repeat_ngram": 4, "repetition_penalty": 1.1, "min_new_tokens": 30},
}


@pytest.mark.parametrize("options", WAYS.values(), ids=WAYS)
def test_guesses_change_no_text(view, options):
    guessing = Writing(view, max_new_tokens=120, **options)
    plain = Writing(view, max_new_tokens=120, **{**options, "prompt_lookup_num_tokens": 0})
    some = np.random.default_rng(1).integers(0, 449, 5).tolist() * 60
    for length in (1, 30, 33, 250, 255):
        written, expected = guessing.written([some[:length]]), plain.written([some[:length]])
        assert written.ids.to_list() == expected.ids.to_list()
        assert written.num_tokens == expected.num_tokens
        assert written.ended == expected.ended
        np.testing.assert_allclose(written.score, expected.score, rtol=1e-4, atol=1e-4)


def test_a_text_that_repeats_itself_takes_few_steps(view, monkeypatch):
    steps, next_logits = [], Writer.next_logits

    def counted(writer: Writer, tokens: tf.Tensor, *more):
        with tf.control_dependencies([tf.py_function(lambda size: steps.append(int(size)), [tf.size(tokens)], [])]):
            return next_logits(writer, tf.identity(tokens), *more)

    monkeypatch.setattr(Writer, "next_logits", counted)
    said = Writing(view, max_new_tokens=1)([[7]])[0][0]
    always = Writing(view, max_new_tokens=101, banned=[[token] for token in range(450) if token != said])
    assert always([[7]]) == [[said] * 101]
    assert steps == [1] + [5] * 20  # four guesses and the last token, all right
