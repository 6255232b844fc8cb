"""Which examples of the training file are held out for validation."""

from collections.abc import Hashable, Sequence

import numpy as np

from keras_ft.data.shuffle import random_order
from keras_ft.errors import RequestError


def stratified_split(
    labels: Sequence[Hashable] | np.ndarray, fraction: float, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Hold out a fraction of the examples, of each label in proportion, leaving at least one of each to train on.

    Shares are rounded by the largest remainder, ties drawn at random, so that validation gets the size asked for
    unless too many labels have a single example.

    Args:
        labels: the label of each example.
        fraction: the part to hold out, strictly between 0 and 1 (else ValueError).
        seed: the same seed gives the same split.

    Returns:
        The indices to train on and those to validate on, `(train,)` and `(validation,)` int64, rising.

    Raises:
        RequestError: no example can be held out.
    """
    size = _validation_size(len(labels), fraction)
    numbers: dict[Hashable, int] = {}
    codes = np.array([numbers.setdefault(label, len(numbers)) for label in labels])  # (examples,)
    counts = np.bincount(codes)  # (labels,)
    if counts.max() == 1:
        raise RequestError("no label has a second example to hold out; name a file as data.validation")
    shares = _shares(counts, size, random_order(len(counts), seed, stream=1))

    order = random_order(len(codes), seed)
    order = order[np.argsort(codes[order], kind="stable")]  # label by label, at random within a label
    starts = np.cumsum(counts) - counts
    place = np.arange(len(codes)) - np.repeat(starts, counts)  # place of an example among those of its label
    return _both_sides(len(codes), order[place < np.repeat(shares, counts)])


def _validation_size(num_examples: int, fraction: float) -> int:
    if not 0 < fraction < 1:
        raise ValueError(f"fraction is {fraction}; it must lie strictly between 0 and 1")
    if num_examples < 2:
        raise RequestError(f"{num_examples} examples cannot be split; name a file as data.validation")
    return min(max(round(num_examples * fraction), 1), num_examples - 1)


def _shares(counts: np.ndarray, size: int, lots: np.ndarray) -> np.ndarray:
    """Divide `size` among labels of `counts` examples, leaving one of each: `(labels,)`."""
    total = int(counts.sum())
    shares = counts * size // total  # less than counts, for size is less than total
    remainders = counts * size % total
    by_claim = lots[np.argsort(-remainders[lots], kind="stable")]
    while (missing := size - int(shares.sum())) > 0:
        can_give = by_claim[shares[by_claim] < counts[by_claim] - 1]
        if not len(can_give):
            break
        shares[can_give[:missing]] += 1
    return shares


def _both_sides(num_examples: int, held_out: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    is_held_out = np.zeros(num_examples, dtype=bool)
    is_held_out[held_out] = True
    return np.flatnonzero(~is_held_out), np.flatnonzero(is_held_out)
