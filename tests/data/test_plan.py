"""Which examples form which batch."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_ft.data.plan import evaluation_plan, plan

unhurried = settings(deadline=None)

LENGTHS = st.lists(st.integers(1, 40), max_size=200).map(np.array)
SIZES = st.one_of(
    st.integers(1, 50).map(lambda size: {"batch_size": size}),
    st.integers(1, 120).map(lambda tokens: {"tokens_per_batch": tokens}),
)
SEEDS = st.integers(-5, 2**64)
WINDOWS = st.integers(1, 20)


def same(first, second):
    return len(first) == len(second) and all(map(np.array_equal, first, second))


def joined(batches):
    return np.concatenate([np.zeros(0, int), *batches])


@unhurried
@given(LENGTHS, SEEDS, st.integers(0, 9), SIZES, WINDOWS)
def test_every_example_comes_exactly_once_and_the_plan_depends_on_its_arguments_alone(
    lengths, seed, epoch, size, window
):
    batches = plan(lengths, seed, epoch, window=window, **size)
    assert sorted(joined(batches)) == list(range(len(lengths)))
    assert same(batches, plan(lengths, seed, epoch, window=window, **size))


@unhurried
@given(LENGTHS, SEEDS, st.integers(1, 50), WINDOWS)
def test_batch_size_is_exact_in_all_but_the_last_batch(lengths, seed, batch_size, window):
    sizes = [len(batch) for batch in plan(lengths, seed, 0, batch_size=batch_size, window=window)]
    assert all(size == batch_size for size in sizes[:-1])
    assert all(0 < size <= batch_size for size in sizes[-1:])


@unhurried
@given(LENGTHS, SEEDS, st.integers(1, 120), WINDOWS)
def test_token_budget_is_exceeded_by_a_single_longer_example_only(lengths, seed, budget, window):
    for batches in (
        plan(lengths, seed, 0, tokens_per_batch=budget, window=window),
        evaluation_plan(lengths, tokens_per_batch=budget),
    ):
        assert all(len(batch) for batch in batches)
        assert all(len(batch) == 1 or lengths[batch].sum() <= budget for batch in batches)


@unhurried
@given(LENGTHS, SIZES)
def test_evaluation_plan_takes_every_example_longest_first(lengths, size):
    batches = evaluation_plan(lengths, **size)
    assert sorted(joined(batches)) == list(range(len(lengths)))
    assert (np.diff(lengths[joined(batches)]) <= 0).all()
    if "batch_size" in size:
        assert all(len(batch) == size["batch_size"] for batch in batches[:-1])


@pytest.mark.parametrize("size", [{"batch_size": 32}, {"tokens_per_batch": 1000}])
def test_other_seed_or_epoch_gives_another_plan(size):
    lengths = np.arange(1000) % 60 + 1
    plans = [plan(lengths, seed, epoch, **size) for seed, epoch in ((0, 0), (1, 0), (0, 1))]
    assert not same(plans[0], plans[1])
    assert not same(plans[0], plans[2])
    assert not same(plans[1], plans[2])


@pytest.mark.parametrize("size", [{"batch_size": 32}, {"tokens_per_batch": 1000}])
def test_a_batch_holds_like_lengths_while_neighbouring_batches_differ(size):
    lengths = np.random.default_rng(0).integers(1, 129, 20_000)
    batches = plan(lengths, 0, 0, **size)
    spread = np.mean([np.ptp(lengths[batch]) for batch in batches])
    random_spread = np.mean([np.ptp(lengths[batch]) for batch in plan(lengths, 0, 0, window=1, **size)])
    assert spread < random_spread / 5
    means = np.array([lengths[batch].mean() for batch in batches])
    assert abs(np.corrcoef(means[:-1], means[1:])[0, 1]) < 0.15


def test_examples_of_the_last_short_batch_are_not_the_longest():
    lengths = np.arange(1, 1040)
    last = [plan(lengths, seed, 0, batch_size=32)[-1] for seed in range(20)]
    assert all(len(batch) == 1039 % 32 for batch in last)
    assert abs(np.mean([lengths[batch].mean() for batch in last]) - 520) < 150


def test_plan_stays_what_it_was_in_other_versions_of_numpy():
    batches = plan(np.array([3, 1, 4, 1, 5, 9, 2, 6, 5, 3]), 7, 2, batch_size=4)
    assert [batch.tolist() for batch in batches] == [[8, 4, 7, 5], [1, 3, 6, 0], [9, 2]]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, "one of the two"),
        ({"batch_size": 1, "tokens_per_batch": 1}, "one of the two"),
        ({"batch_size": 0}, "batch_size is 0; it must be at least 1"),
        ({"tokens_per_batch": -3}, "tokens_per_batch is -3; it must be at least 1"),
    ],
)
def test_contradictory_sizes_are_a_mistake_of_the_caller(arguments, said):
    lengths = np.array([1, 2])
    for call in (
        lambda: plan(lengths, 0, 0, **arguments),
        lambda: evaluation_plan(lengths, **arguments),
    ):
        with pytest.raises(ValueError, match=said):
            call()
    with pytest.raises(ValueError, match="window is 0"):
        plan(lengths, 0, 0, batch_size=1, window=0)
    with pytest.raises(ValueError, match="shape"):
        plan(np.ones((2, 2)), 0, 0, batch_size=1)
