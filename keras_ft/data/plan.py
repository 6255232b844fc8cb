"""The plan of an epoch: which examples form each batch. Pure functions of lengths, seed and epoch.

A position in the data is thus (epoch, batch number), and any process can tell what any batch holds.
"""

import numpy as np

from keras_ft.data.shuffle import random_order

Batches = list[np.ndarray]


def plan(
    lengths: np.ndarray,
    seed: int,
    epoch: int,
    *,
    batch_size: int | None = None,
    tokens_per_batch: int | None = None,
    window: int = 16,
) -> Batches:
    """Say which examples form each batch of a training epoch; every example comes once.

    Examples are shuffled; within windows of `window` batches they are then sorted by length, so that those of a batch
    are about as long as each other; last, the batches are shuffled, so that lengths mix over time.

    Args:
        lengths: `(examples,)` tokens of each example.
        seed, epoch: the same two give the same plan.
        batch_size: examples in a batch, exact in all but the epoch's last. Either this or
        tokens_per_batch: the most tokens in a batch; an example that is longer forms a batch of its own.
        window: how many batches are sorted together; with 1, what a batch holds does not depend on length.

    Returns:
        For each batch the indices of its examples, `(examples of the batch,)` int64.

    Raises:
        ValueError: not exactly one of the two sizes is given, or a size is less than 1.
    """
    lengths = _checked(lengths, batch_size, tokens_per_batch)
    if window < 1:
        raise ValueError(f"window is {window}; it must be at least 1")
    order = random_order(len(lengths), seed, epoch=epoch)
    if batch_size is not None:
        # What is left over is taken before sorting, or the last batch would always be of long examples.
        whole = len(order) - len(order) % batch_size
        batches = _cut_by_count(_sorted_in_windows(lengths, order[:whole], window * batch_size), batch_size)
        last = [order[whole:]] if whole < len(order) else []
    else:
        assert tokens_per_batch is not None
        examples = max(1, round(window * tokens_per_batch * len(lengths) / max(1, lengths.sum())))
        if window > 1:
            order = _sorted_in_windows(lengths, order, examples)
        batches = _cut_by_tokens(lengths, order, tokens_per_batch)
        last = [batches.pop()] if batches else []
    return [batches[i] for i in random_order(len(batches), seed, epoch=epoch, stream=1)] + last


def evaluation_plan(
    lengths: np.ndarray, *, batch_size: int | None = None, tokens_per_batch: int | None = None
) -> Batches:
    """Say which examples form each batch of an evaluation: by length, the longest first, so that memory fails early.

    Arguments, what is returned and raised are those of `plan`.
    """
    lengths = _checked(lengths, batch_size, tokens_per_batch)
    order = np.argsort(-lengths, kind="stable")
    if batch_size is not None:
        return _cut_by_count(order, batch_size)
    assert tokens_per_batch is not None
    return _cut_by_tokens(lengths, order, tokens_per_batch)


def _checked(lengths: np.ndarray, batch_size: int | None, tokens_per_batch: int | None) -> np.ndarray:
    if (batch_size is None) == (tokens_per_batch is None):
        raise ValueError(f"give batch_size ({batch_size}) or tokens_per_batch ({tokens_per_batch}), one of the two")
    for name, size in {"batch_size": batch_size, "tokens_per_batch": tokens_per_batch}.items():
        if size is not None and size < 1:
            raise ValueError(f"{name} is {size}; it must be at least 1")
    lengths = np.asarray(lengths, dtype=np.int64)
    if lengths.ndim != 1:
        raise ValueError(f"lengths have shape {lengths.shape}; they must be (examples,)")
    return lengths


def _sorted_in_windows(lengths: np.ndarray, order: np.ndarray, examples: int) -> np.ndarray:
    """Sort by length within windows of so many `examples`, ties staying as they are.

    Every other window falls instead of rising, so that a batch on the border of two holds examples of like length.
    """
    window = np.arange(len(order)) // examples
    rising_or_falling = np.where(window % 2, -lengths[order], lengths[order])
    return order[np.lexsort((rising_or_falling, window))]


def _cut_by_count(order: np.ndarray, batch_size: int) -> Batches:
    return [order[start : start + batch_size] for start in range(0, len(order), batch_size)]


def _cut_by_tokens(lengths: np.ndarray, order: np.ndarray, tokens_per_batch: int) -> Batches:
    ends = np.cumsum(lengths[order])  # (examples,) tokens up to and including each
    batches = []
    start = tokens_before = 0
    while start < len(order):
        stop = int(np.searchsorted(ends, tokens_before + tokens_per_batch, side="right"))
        stop = max(stop, start + 1)
        batches.append(order[start:stop])
        start, tokens_before = stop, int(ends[stop - 1])
    return batches
