import itertools

import numpy as np
import pytest
from scipy.stats import chisquare
from writing import END, WithoutCache, Writing, holds

WAYS = {"greedy": {}, "sampled": {"do_sample": True}, "beams": {"num_beams": 3, "num_return": 2}}


@pytest.fixture(scope="module", params=WAYS)
def writing(request, view) -> Writing:
    return Writing(view, max_new_tokens=10, **WAYS[request.param])


def test_no_prompts_give_no_texts(writing):
    written = writing.written([])
    assert written.ids.to_list() == []
    assert written.score.shape == written.ended.shape == written.num_tokens.shape == (0,)


def test_zero_new_tokens_give_empty_texts(writing, prompts):
    written = writing.written(prompts, max_new_tokens=[0] * len(prompts))
    assert not any(written.ids.to_list())
    assert not written.num_tokens.numpy().any()
    assert not written.score.numpy().any()
    assert not written.ended.numpy().any()


def test_a_prompt_as_long_as_the_model_has_room_for_gets_no_text(writing, prompts):
    count = writing.options.num_return
    texts = writing([list(range(256)), prompts[0]])
    assert texts[:count] == [[]] * count
    assert texts[count:] == writing(prompts[:1])


def test_each_example_has_its_own_most_tokens(writing, prompts):
    most = [0, 3, -1, 1, 25, 7]
    written = writing.written(prompts, max_new_tokens=most)
    counts = written.num_tokens.numpy().reshape(len(prompts), -1)
    limits = np.array([10 if one == -1 else one for one in most])[:, None]
    assert (counts <= limits).all()
    assert (counts == limits).mean() > 0.5
    for number, (prompt, one) in enumerate(zip(prompts, most, strict=True)):
        count = writing.options.num_return
        alone = writing([prompt], max_new_tokens=[one])
        assert alone == written.ids.to_list()[number * count : (number + 1) * count]


ASKED = {
    "temperature": [0.0, 1.0, 0.7, 2.0, 1.0, -1],
    "top_k": [0, 5, -1, 300, 0, 2],
    "top_p": [0.5, 1.0, 0.9, -1, 0.999, 0.3],
    "seed": [1, 2, 3, 4, 0, -1],
    "max_new_tokens": [10, 4, -1, 30, 9, 10],
}


@pytest.fixture(scope="module")
def sampled(view) -> Writing:
    return Writing(view, max_new_tokens=12, do_sample=True, temperature=1.2, seed=7)


def test_settings_of_each_example_in_one_batch_give_the_texts_of_single_ones(sampled, prompts):
    together = sampled(prompts, **ASKED)
    for row, prompt in enumerate(prompts):
        assert (
            sampled([prompt], **{name: values[row : row + 1] for name, values in ASKED.items()})
            == together[row : row + 1]
        )


def test_the_same_seed_gives_the_same_text_whatever_else_there_is(sampled, prompts):
    alone = sampled(prompts[1:2], seed=[5])[0]
    beside = sampled(prompts[::-1] + prompts[1:2], seed=[5] * 7, max_new_tokens=[200] * 6 + [12])
    assert beside[-1] == alone
    longer = sampled(prompts[1:2], seed=[5], max_new_tokens=[100])[0]
    assert longer[: len(alone)] == alone
    texts = sampled(prompts[1:2] * 30, seed=list(range(30)))
    assert len({tuple(text) for text in texts}) > 25


def test_temperature_0_is_greedy(sampled, view, prompts):
    greedy = Writing(view, max_new_tokens=12).written(prompts)
    cold = sampled.written(prompts, temperature=[0.0] * 6, top_k=[0, 1, 50, 0, 7, 0], top_p=[1, 1, 0.5, 0.1, 1, 1])
    assert cold.ids.to_list() == greedy.ids.to_list()
    np.testing.assert_allclose(cold.score, greedy.score, rtol=1e-5)
    assert sampled(prompts, top_k=[1] * 6) == greedy.ids.to_list()


def test_a_greedy_writer_takes_no_notice_of_what_draws_ask_for(view, prompts):
    greedy = Writing(view, max_new_tokens=8)
    assert greedy(prompts, top_k=[3] * 6, top_p=[0.5] * 6, seed=[1] * 6) == greedy(prompts)


def test_second_tokens_have_the_distribution_that_the_model_gives_them(sampled, view, prompts):
    rows, logits = 3000, WithoutCache(view).logits
    texts = sampled(prompts[3:4] * rows, seed=list(range(rows)), max_new_tokens=[2] * rows, top_k=[3] * rows)
    firsts = np.argsort(-logits(prompts[3], [])[0])[:3]
    for first in firsts:
        seconds = [text[1] for text in texts if text[:1] == [first] and len(text) == 2]
        behind = logits(prompts[3], [int(first)])[1] / 1.2
        order = np.argsort(-behind)[:3]
        expected = np.exp(behind[order] - np.logaddexp.reduce(behind[order]))
        counts = np.array([seconds.count(token) for token in order])
        assert counts.sum() == len(seconds)
        assert END not in order
        if len(seconds) * expected.min() > 5:
            assert chisquare(counts, expected * len(seconds)).pvalue > 1e-3
    assert len(set(map(tuple, texts))) > 6


def test_banned_sequences_never_occur(writing, view, prompts):
    asked = {"seed": list(range(18)), "max_new_tokens": [20] * 18}
    free = writing(prompts * 3, **asked)
    count = writing.options.num_return
    banned = [[free[0][0]], free[count][2:4], free[-1][5:8]]
    assert any(holds(text, sequence) for text in free for sequence in banned)
    texts = Writing(view, banned=banned, **writing.options.model_dump())(prompts * 3, **asked)
    assert max(map(len, texts)) > 5
    for number, text in enumerate(texts):
        prompt = (prompts * 3)[number // count]
        assert not any(holds(prompt[-len(s) + 1 :] * (len(s) > 1) + text, s) for s in banned)


def test_where_only_eight_texts_are_allowed_beams_give_no_other(view, prompts):
    banned = [[token] for token in range(450) if token not in (17, 18)]
    written = Writing(view, banned=banned, num_beams=300, num_return=10, max_new_tokens=3).written(prompts)
    for row in range(0, 10 * len(prompts), 10):
        texts = written.ids.to_list()[row : row + 10]
        assert sorted(texts[:8]) == [list(three) for three in itertools.product([17, 18], repeat=3)]
        assert texts[8:] == [[], []]
        assert not written.score.numpy()[row + 8 : row + 10].any()
