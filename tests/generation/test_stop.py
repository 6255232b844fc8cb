import random

import numpy as np
import pytest
import tensorflow as tf
from writing import Writing

from keras_ft.generation.stop import StopStrings

PIECES = [bytes([value]) for value in range(256)]
PIECES += [
    s.encode() for s in ("ab", "b.", "bc", "\n\n", " a", "结", "束了", "🙂", "(x", ")$", "\\", "aXb", "end of the text")
]
PIECES += ["结束".encode()[:2], "结束".encode()[2:5], "🙂".encode()[1:]]
SAID = tf.constant(PIECES)
STOPS = [
    *(["ab"], ["a.b"], ["(x)$"], ["\n\n"], ["\\"], ["结束"], ["🙂"], ["["], ["\t- ~#&"], ["\x00"], ["a|b", "*+?{1}"]),
    *(["abc", "b"], ["aab", "ab", "结"], ["^a"], ["a" * 40], [" a", "é", "end"], ["\r\n"]),
]


def stops_at(tokens: list[int], strings: list[str]) -> int | None:
    """How many tokens there are once a string is in what they say."""
    for count in range(1, len(tokens) + 1):
        said = b"".join(PIECES[token] for token in tokens[:count])
        if any(string.encode() in said for string in strings):
            return count
    return None


def texts_with(strings: list[str]) -> list[list[int]]:
    """Texts of 60 tokens, of pieces that like to say the strings, and one that says each from its very beginning."""
    rng = random.Random(0)
    single = [PIECES.index(bytes([byte])) for string in strings for byte in string.encode()]
    likely = [number for number, piece in enumerate(PIECES) if any(piece in s.encode() for s in strings)]
    texts = [rng.choices(range(len(PIECES)), k=60), rng.choices(range(256, len(PIECES)), k=60)]
    texts += [rng.choices(likely + single, k=60) for _ in range(5)]
    for string in strings:
        start = [PIECES.index(bytes([byte])) for byte in string.encode()]
        texts += [start + texts[0][: 60 - len(start)], [97] * 9 + start + texts[0][: 51 - len(start)]]
    return texts


@pytest.mark.parametrize("strings", STOPS, ids=ascii)
def test_a_string_is_found_with_the_token_that_completes_it(strings):
    stop, texts = StopStrings(strings, SAID), texts_with(strings)
    expected = [stops_at(text, strings) for text in texts]
    assert any(expected)
    after = tf.function(stop.after, input_signature=[tf.TensorSpec([None], tf.string), tf.TensorSpec([None], tf.int32)])
    tail, found = stop.start(tf.constant(len(texts))), [None] * len(texts)
    for count in range(1, 61):
        tail, stops = after(tail, tf.constant([text[count - 1] for text in texts]))
        for row in np.flatnonzero(stops):
            found[row] = found[row] or count
    assert found == expected


@pytest.mark.parametrize("strings", STOPS, ids=ascii)
def test_texts_are_cut_before_the_first_string(strings):
    inside = [f"前 one{string}two 🙂{strings[-1]}三" for string in strings] + ["".join(strings), "nothing", "", "中文"]
    cut = StopStrings(strings, SAID).cut(tf.constant(inside)).numpy()
    for text, short in zip(inside, cut, strict=True):
        assert short.decode() == text[: min([text.find(s) for s in strings if s in text], default=len(text))]


@pytest.fixture(scope="module")
def free(view, prompts) -> list[list[int]]:
    return Writing(view, max_new_tokens=12)(prompts)


@pytest.mark.parametrize("num_beams", [1, 3])
def test_a_text_ends_with_the_token_that_completes_a_stop_string(view, prompts, free, num_beams):
    numbers = tf.constant([f"{number:03d}" for number in range(450)])
    said = "".join(f"{token:03d}" for token in free[1])
    strings = [said[7:10], f"{free[0][0]:03d}"]  # across the third and the fourth token; the very first
    stop = StopStrings(strings, numbers)
    written = Writing(view, stop=stop, max_new_tokens=12, num_beams=num_beams).written(prompts)
    texts = ["".join(f"{token:03d}" for token in text) for text in written.ids.to_list()]
    ends = [any(string in text for string in strings) for text in texts]
    assert any(ends)
    assert written.ended.numpy().tolist() == ends
    assert not any(string in text[:-3] for text in texts for string in strings)
    if num_beams == 1:
        assert len(texts[0]) == 3
        assert len(texts[1]) <= 12
        for text, whole in zip(texts, free, strict=True):
            assert "".join(f"{token:03d}" for token in whole).startswith(text)
