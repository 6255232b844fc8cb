"""The texts of transformers' `generate`, token for token; `benchmarks/generation_reference.py` stored them."""

import numpy as np
import pytest
from writing import REFERENCE, Writing

PROMPTS, END = REFERENCE["prompts"], REFERENCE["end_id"]


def test_many_texts_end_by_themselves_and_differ():
    for case in REFERENCE["cases"].values():
        assert len(case["texts"]) == 100 * case["options"].get("num_return", 1)
    ended = {name: np.mean([text[-1] == END for text in case["texts"]]) for name, case in REFERENCE["cases"].items()}
    assert ended["greedy"] > 0.3
    assert ended["beams"] > 0.3
    greedy = REFERENCE["cases"]["greedy"]["texts"]
    assert len({tuple(text) for text in greedy}) > 50
    for name in ("repetition_penalty", "no_repeat_ngram", "min_new_tokens", "banned"):
        same = [one == other for one, other in zip(greedy, REFERENCE["cases"][name]["texts"], strict=True)]
        assert np.mean(same) < 0.9, f"{name} changes too little to be seen"


@pytest.mark.parametrize("name", REFERENCE["cases"])
def test_equals_transformers(view, name):
    case = REFERENCE["cases"][name]
    options = {key: value for key, value in case["options"].items() if key != "banned"}
    banned = REFERENCE["banned"] if "banned" in case["options"] else []
    writing = Writing(view, END, banned, max_new_tokens=REFERENCE["max_new_tokens"], **options)
    written = writing.written(PROMPTS)
    expected = [text[:-1] if text[-1] == END else text for text in case["texts"]]
    assert written.ids.to_list() == expected
    assert written.num_tokens.numpy().tolist() == [len(text) for text in case["texts"]]
    assert written.ended.numpy().tolist() == [text[-1] == END for text in case["texts"]]
    if case["scores"]:
        np.testing.assert_allclose(written.score, case["scores"], atol=1e-4)
    count = case["options"].get("num_return", 1)
    for number in range(0, 100, 20):
        alone = writing([PROMPTS[number]])
        assert alone == expected[number * count : (number + 1) * count]
