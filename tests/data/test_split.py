"""What is held out for validation."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_ft.data.split import stratified_split
from keras_ft.errors import RequestError

unhurried = settings(deadline=None)

FRACTIONS = st.floats(0.01, 0.99)
SEEDS = st.integers(-(2**63), 2**64)
LABELS = st.lists(st.sampled_from(["负", "正", "中", 3, "rare"]), min_size=6, max_size=80)  # 5 labels: one comes twice


@unhurried
@given(LABELS, FRACTIONS, SEEDS)
def test_stratified_split_parts_the_examples_and_leaves_each_label_to_train_on(labels, fraction, seed):
    train, validation = stratified_split(labels, fraction, seed)
    assert sorted([*train, *validation]) == list(range(len(labels)))
    assert (np.diff(train) > 0).all()
    assert (np.diff(validation) > 0).all()
    assert {labels[i] for i in train} == set(labels)
    again = stratified_split(labels, fraction, seed)
    assert np.array_equal(train, again[0])
    assert np.array_equal(validation, again[1])


@unhurried
@given(LABELS, FRACTIONS, SEEDS)
def test_stratified_shares_are_proportional_to_less_than_one_example(labels, fraction, seed):
    _, validation = stratified_split(labels, fraction, seed)
    size = min(max(round(len(labels) * fraction), 1), len(labels) - 1)
    counts, held_out = Counter(labels), Counter(labels[i] for i in validation)
    most = sum(count - 1 for count in counts.values())
    assert len(validation) == min(size, most)
    if not any(count == 1 for count in counts.values()) and len(validation) == size:
        quotas = {label: size * count / len(labels) for label, count in counts.items()}
        capped = any(quota > counts[label] - 1 for label, quota in quotas.items())
        assert capped or all(abs(held_out[label] - quota) < 1 for label, quota in quotas.items())


def test_stratified_split_of_known_counts():
    labels = ["a"] * 60 + ["b"] * 30 + ["c"] * 9 + ["once"]
    _, validation = stratified_split(labels, 0.2, seed=0)
    assert Counter(labels[i] for i in validation) == {"a": 12, "b": 6, "c": 2}


def test_many_small_labels_do_not_always_send_the_same_ones_to_validation():
    labels = [label for label in range(100) for _ in range(2)]
    first, second = ({labels[i] for i in stratified_split(labels, 0.1, seed)[1]} for seed in (0, 1))
    assert len(first) == len(second) == 20
    assert first != second


def test_split_stays_what_it_was_in_other_versions_of_numpy():
    assert stratified_split(["a", "b"] * 10, 0.3, seed=7)[1].tolist() == [1, 3, 4, 8, 16, 19]


@pytest.mark.parametrize("fraction", [0, 1, 1.5, -0.1])
def test_fraction_outside_its_range_is_a_mistake_of_the_caller(fraction):
    with pytest.raises(ValueError, match="strictly between 0 and 1"):
        stratified_split(["a", "b"] * 5, fraction, 0)


def test_too_few_examples_to_split_ask_for_a_validation_file():
    with pytest.raises(RequestError, match=r"1 examples cannot be split; name a file as data\.validation"):
        stratified_split(["a"], 0.5, 0)
    with pytest.raises(RequestError, match=r"no label has a second example to hold out; name a file"):
        stratified_split(["a", "b", "c"], 0.5, 0)
