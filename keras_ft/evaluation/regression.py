"""Predictions of numbers: metrics of resamples, the worst errors, and what a report shows."""

import numpy as np
from scipy.stats import rankdata

from keras_ft.evaluation.report import regression as report
from keras_ft.evaluation.report.page import Section
from keras_ft.evaluation.view import Columns, View


class RegressionView(View):
    """One number for one text or two."""

    metric_columns = ("label", "score")
    target_columns = ("label",)
    mistakes_title = "Largest errors"
    mistakes_text = (
        "The answers farthest from their labels first. Where the label looks wrong, it may be: mend the data."
    )

    def mistakes(self, columns: Columns, count: int) -> np.ndarray:
        """The rows with the largest errors."""
        error = np.abs(columns["score"].astype(np.float64) - columns["label"])
        order = np.argsort(-error, kind="stable")[:count]
        return order[error[order] > 0]

    def right(self, columns: Columns) -> dict[str, np.ndarray]:
        """No metric is a share of right answers."""
        return {}

    def weighted_metrics(self, columns: Columns, weights: np.ndarray) -> dict[str, np.ndarray]:
        """Pearson, Spearman, mean squared and mean absolute error.

        Spearman is Pearson between the ranks that the numbers have among all examples, of which those that count
        several times share theirs.
        """
        weights = weights.astype(np.float64, copy=False)
        label, score = columns["label"].astype(np.float64), columns["score"].astype(np.float64)
        total = weights.sum(axis=1)
        error = score - label
        return {
            "pearson": _correlation(_repeated(label, len(weights)), _repeated(score, len(weights)), weights),
            "spearman": _correlation(_ranks(label, weights), _ranks(score, weights), weights),
            "mse": weights @ error**2 / total,
            "mae": weights @ np.abs(error) / total,
        }

    def in_terms_of(self, other: View, columns: Columns) -> Columns:
        """As they are."""
        return columns

    def sections(self, columns: Columns) -> list[Section]:
        """Answers beside labels, and how errors are spread."""
        return [report.scatter(columns), report.errors(columns)]

    def describe_mistake(self, columns: Columns, row: int) -> list[tuple[str, str]]:
        """Label, answer and the difference."""
        label, score = float(columns["label"][row]), float(columns["score"][row])
        return [("labelled", f"{label:.4g}"), ("predicted", f"{score:.4g}"), ("error", f"{score - label:+.4g}")]


def _repeated(values: np.ndarray, times: int) -> np.ndarray:
    return np.broadcast_to(values, (times, len(values)))


def _ranks(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The mean rank of each value where example i is there `weights[r, i]` times: `(resamples, examples)`."""
    dense = rankdata(values, method="dense").astype(np.int64) - 1  # (examples,)
    of_value = np.zeros((len(weights), int(dense.max()) + 1))
    order = np.argsort(dense, kind="stable")
    starts = np.flatnonzero(np.append(True, np.diff(dense[order]) > 0))
    of_value[:] = np.add.reduceat(weights[:, order], starts, axis=1)  # how often each value is there
    return (np.cumsum(of_value, axis=1) - of_value / 2 + 0.5)[:, dense]


def _correlation(one: np.ndarray, other: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Pearson's correlation, `(resamples,)`; 0 where either side is the same throughout.

    Args:
        one, other, weights: `(resamples, examples)`.
    """
    total = weights.sum(axis=1, keepdims=True)
    one, other = (values - (weights * values).sum(axis=1, keepdims=True) / total for values in (one, other))
    spread = (weights * one**2).sum(axis=1) * (weights * other**2).sum(axis=1)
    return np.where(spread > 0, (weights * one * other).sum(axis=1) / np.sqrt(np.maximum(spread, 1e-300)), 0.0)
