"""Random orders."""

import numpy as np

from keras_ft.data.shuffle import random_order


def test_order_is_a_permutation_and_the_same_for_the_same_keys():
    order = random_order(1000, 3, epoch=1, stream=2)
    assert sorted(order) == list(range(1000))
    assert np.array_equal(order, random_order(1000, 3, epoch=1, stream=2))
    assert random_order(0, 3).tolist() == []


def test_every_key_counts_to_its_last_bit():
    keys = [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (-1, 0, 0), (-2, 0, 0), (2**62, 0, 0), (2**62 + 1, 0, 0)]
    orders = {tuple(random_order(50, seed, epoch=epoch, stream=stream)) for seed, epoch, stream in keys}
    assert len(orders) == len(keys)


def test_every_place_is_equally_likely():
    places = np.stack([random_order(8, seed) for seed in range(4000)])
    counts = np.stack([np.bincount(places[:, i], minlength=8) for i in range(8)])
    assert abs(counts - 500).max() < 100  # 4.8 standard deviations


def test_order_stays_what_it_was_in_other_versions_of_numpy():
    assert random_order(10, 2026, epoch=1).tolist() == [1, 4, 3, 7, 8, 0, 2, 5, 6, 9]
