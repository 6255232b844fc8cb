"""Correlations of numbers where each example counts with a weight, as resamples want them."""

import numpy as np


def weighted_correlations(one: np.ndarray, other: np.ndarray, weights: np.ndarray) -> dict[str, np.ndarray]:
    """`pearson` and `spearman`, `(resamples,)` each; 0 where either side is the same throughout.

    Spearman is Pearson between the ranks that the numbers have among all examples, of which those that count several
    times share theirs.

    Args:
        one, other: `(examples,)`.
        weights: `(resamples, examples)`, how often each example is there.
    """
    weights = weights.astype(np.float64, copy=False)
    one, other = one.astype(np.float64), other.astype(np.float64)
    return {
        "pearson": _correlation(np.broadcast_to(one, weights.shape), np.broadcast_to(other, weights.shape), weights),
        "spearman": _correlation(_ranks(one, weights), _ranks(other, weights), weights),
    }


def _ranks(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The mean rank of each value where example i is there `weights[r, i]` times: `(resamples, examples)`."""
    _, place = np.unique(values, return_inverse=True)  # (examples,) among the different values
    order = np.argsort(place, kind="stable")
    starts = np.flatnonzero(np.diff(place[order], prepend=-1))
    there = np.add.reduceat(weights[:, order], starts, axis=1)  # (resamples, values)
    return (np.cumsum(there, axis=1) - there / 2 + 0.5)[:, place]


def _correlation(one: np.ndarray, other: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Pearson's, `(resamples,)`, of rows of `(resamples, examples)`."""
    total = weights.sum(axis=1, keepdims=True)
    one, other = (values - (weights * values).sum(axis=1, keepdims=True) / total for values in (one, other))
    spread = (weights * one**2).sum(axis=1) * (weights * other**2).sum(axis=1)
    return np.where(spread > 0, (weights * one * other).sum(axis=1) / np.sqrt(np.maximum(spread, 1e-300)), 0.0)
