"""The rows layout: every example once, nothing overlapping, few shapes, little filler."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_ft.data import row_plan
from keras_ft.data.packing import choose_row_counts, first_fit
from keras_ft.data.plans import evaluation_steps, training_plans
from keras_ft.errors import RequestError

unhurried = settings(deadline=None, max_examples=60)
LENGTHS = st.lists(st.integers(1, 60), min_size=1, max_size=150).map(np.array)
PARTS = st.sampled_from([1, 2, 3, 8])


def check(steps, lengths, parts):
    """Every example comes once, lies in its own slots, and within one row."""
    seen = []
    for step in steps:
        assert len(step.parts) == parts
        for part in step.parts:
            taken = np.zeros(step.shape.num_rows * step.shape.row_length, int)
            for slot, length in zip(part.slots, lengths[part.examples], strict=True):
                assert slot // step.shape.row_length == (slot + length - 1) // step.shape.row_length
                taken[slot : slot + length] += 1
            assert taken.max(initial=0) <= 1
            assert len(part.examples) == part.real <= step.shape.num_examples
            seen += part.examples.tolist()
        assert step.num_tokens == sum(lengths[part.examples].sum() for part in step.parts)
    assert sorted(seen) == list(range(len(lengths)))


@unhurried
@given(LENGTHS, st.integers(0, 5), st.integers(1, 40), PARTS)
def test_a_batch_size_is_exact_and_every_example_lies_apart_from_the_others(lengths, seed, batch_size, parts):
    plans = training_plans("rows", lengths, seed, epochs=3, parts=parts, batch_size=batch_size)
    for epoch in range(3):
        steps = plans.steps(epoch)
        assert len(steps) == plans.count(epoch) == -(-len(lengths) // batch_size)
        assert all(step.num_examples == batch_size for step in steps[:-1])
        check(steps, lengths, parts)
    assert len({step.shape for epoch in range(3) for step in plans.steps(epoch)}) <= 3


@unhurried
@given(LENGTHS, st.integers(0, 5), st.integers(60, 500), PARTS)
def test_a_token_budget_is_kept_filler_included(lengths, seed, budget, parts):
    plans = training_plans("rows", lengths, seed, epochs=2, parts=parts, tokens_per_batch=budget * parts)
    for epoch in range(2):
        steps = plans.steps(epoch)
        assert len(steps) == plans.count(epoch)
        assert all(step.num_slots <= budget * parts for step in steps)
        check(steps, lengths, parts)


@unhurried
@given(LENGTHS, PARTS)
def test_an_evaluation_takes_every_example_in_one_shape(lengths, parts):
    steps = evaluation_steps("rows", lengths, 64, parts)
    check(steps, lengths, parts)
    assert len({step.shape for step in steps}) == 1


def film_reviews(count: int) -> np.ndarray:
    """Lengths distributed about as SST-2's."""
    return np.clip(np.random.default_rng(0).gamma(4.5, 5.2, count).astype(int), 4, 67)


def news(count: int) -> np.ndarray:
    """Lengths distributed about as AG News', cut at 128."""
    return np.clip(np.random.default_rng(0).lognormal(3.9, 0.33, count).astype(int), 15, 128)


@pytest.mark.parametrize("lengths", [film_reviews(7000), news(4000)], ids=["short texts", "long texts"])
@pytest.mark.parametrize(
    ("size", "least"),
    [
        ({"batch_size": 32, "most_shapes": 3}, 0.88),
        ({"batch_size": 32, "most_shapes": 2}, 0.88),
        ({"tokens_per_batch": 4096}, 0.95),
    ],
)
def test_little_of_a_row_is_filler(lengths, size, least):
    steps = training_plans("rows", lengths, 0, epochs=3, **size).steps(1)
    assert sum(step.num_tokens for step in steps) / sum(step.num_slots for step in steps) >= least


def test_an_epoch_that_was_not_looked_at_has_the_same_steps_whichever_came_before_it(monkeypatch):
    monkeypatch.setattr(row_plan, "PLANNED_EPOCHS", 1)
    lengths = film_reviews(61)
    for size in ({"batch_size": 4}, {"tokens_per_batch": 150}):
        fresh, used = (training_plans("rows", lengths, 0, epochs=40, parts=2, **size) for _ in range(2))
        for epoch in range(40):
            used.steps(epoch)
        for epoch in (39, 20):
            ours, theirs = fresh.steps(epoch), used.steps(epoch)
            assert [step.shape for step in ours] == [step.shape for step in theirs]
            check(ours, lengths, 2)
            assert fresh.count(epoch) == len(ours)


def test_a_million_steps_over_a_few_texts_are_planned_at_once():
    for size in ({"batch_size": 4}, {"batch_size": 4096}, {"tokens_per_batch": 4096}):
        plans = training_plans("rows", film_reviews(50), 0, epochs=10**6, **size)
        assert plans.steps(999_999)[0].shape.num_examples <= 56


def test_other_epochs_and_seeds_give_other_batches():
    lengths = film_reviews(500)
    first = [
        training_plans("rows", lengths, seed, epochs=2, batch_size=10).steps(epoch)[0].parts[0].examples.tolist()
        for seed, epoch in ((0, 0), (0, 1), (1, 0), (0, 0))
    ]
    assert first[0] == first[3]
    assert first[0] != first[1]
    assert first[0] != first[2]


def test_a_text_that_fits_into_no_part_is_refused_with_the_least_budget_that_would_do():
    with pytest.raises(RequestError, match=r"tokens_per_batch is 100.*longest text has 60 tokens.*at least 120"):
        training_plans("rows", np.array([60, 10]), 0, epochs=1, parts=2, tokens_per_batch=100)


def test_first_fit_opens_a_row_only_where_none_has_room():
    rows, starts = first_fit(np.array([[7, 5, 5, 3, 2, 0]]), 10)
    assert rows.tolist() == [[0, 1, 1, 0, 2, 0]]
    assert starts.tolist() == [[0, 0, 5, 7, 0, 10]]


def test_row_counts_are_those_that_waste_least():
    needed = np.array([1] + [7] * 10 + [8] * 20 + [12] * 3)
    assert choose_row_counts(needed, 1) == [12]
    assert choose_row_counts(needed, 2) == [8, 12]
    assert choose_row_counts(needed, 3) == [7, 8, 12]
    assert choose_row_counts(needed, 9) == [1, 7, 8, 12]
