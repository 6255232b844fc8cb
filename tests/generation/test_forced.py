import pytest
from writing import Writing, holds

from keras_ft.generation.forced import ForcedWords

WAYS = {"greedy": {}, "sampled": {"do_sample": True, "temperature": 0.5}, "beams": {"num_beams": 3, "num_return": 2}}
THREE, TWO = [10, 11, 12], [20, 21]
SOME = 8


@pytest.fixture(scope="module")
def some(reference) -> list[list[int]]:
    """Prompts whose greedy texts end soon, each with another number of tokens before."""
    greedy = reference["cases"]["greedy"]["texts"]
    ends_soon = {len(text): number for number, text in enumerate(greedy) if 1 < len(text) < 20}
    chosen = [reference["prompts"][number] for number in list(ends_soon.values())[:SOME]]
    assert len(chosen) == SOME
    return chosen


@pytest.fixture(scope="module", params=WAYS)
def way(request) -> dict:
    return WAYS[request.param]


@pytest.fixture(scope="module")
def free(view, reference, way) -> Writing:
    return Writing(view, reference["end_id"], max_new_tokens=30, **way)


@pytest.fixture(scope="module")
def forced(view, reference, way) -> Writing:
    words = ForcedWords([THREE, TWO], reference["end_id"])
    return Writing(view, reference["end_id"], forced=words, max_new_tokens=30, **way)


def test_every_text_holds_its_words_and_some_end_by_themselves(forced, some):
    written = forced.written(some * 4, seed=list(range(4 * SOME)))
    assert len(written.ids.to_list()) == 4 * SOME * forced.options.num_return
    for text in written.ids.to_list():
        assert holds(text, THREE)
        assert holds(text, TWO)
    assert written.ended.numpy().any()
    assert len({tuple(text) for text in written.ids.to_list()}) > SOME // 2


@pytest.mark.parametrize("way", ["greedy"], indirect=True)
def test_words_come_where_the_text_would_have_ended(forced, free, some):
    for text, without in zip(forced(some), free(some), strict=True):
        assert text[: len(without)] == without
        assert text[len(without) :][: 2 if text[len(without)] == TWO[0] else 3] in (TWO, THREE)


def test_where_the_room_is_just_enough_the_text_is_the_words(forced, some):
    texts = forced(some, max_new_tokens=[5] * SOME)
    assert all(text in (THREE + TWO, TWO + THREE, []) for text in texts)
    assert all(texts[:: forced.options.num_return])  # a beam's second best may be no text at all


def test_a_word_that_does_not_fit_is_left_out_and_not_begun(forced, free, some):
    best = forced(some, max_new_tokens=[4] * SOME)[:: forced.options.num_return]
    assert all(holds(text, THREE) != holds(text, TWO) for text in best)
    assert forced(some, max_new_tokens=[1] * SOME) == free(some, max_new_tokens=[1] * SOME)


def test_rules_keep_no_forced_word_out_and_one_may_begin_as_another(view, reference, way, some):
    words = [[30, 30, 30, 30], [31, 32], [5, 6], [5, 6, 7], [320]]
    rules = {"no_repeat_ngram": 2, "repetition_penalty": 5.0, "min_new_tokens": 3, "max_new_tokens": 20}
    writing = Writing(
        view,
        reference["end_id"],
        banned=[[31, 32], [30]],
        forced=ForcedWords(words, reference["end_id"]),
        **rules,
        **way,
    )
    for text in writing(some):
        assert all(holds(text, word) for word in words)
    for text in writing(some, max_new_tokens=[12] * SOME)[:: writing.options.num_return]:  # 4 + 2 + 2 + 3 + 1
        assert all(holds(text, word) for word in words)
