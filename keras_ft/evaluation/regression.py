"""Predictions of numbers: metrics of resamples, the worst errors, and what a report shows."""

import numpy as np

from keras_ft.evaluation.rank_correlation import weighted_correlations
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
        """Pearson, Spearman, mean squared and mean absolute error."""
        weights = weights.astype(np.float64, copy=False)
        label, score = columns["label"].astype(np.float64), columns["score"].astype(np.float64)
        total = weights.sum(axis=1)
        error = score - label
        return {
            **weighted_correlations(label, score, weights),
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
