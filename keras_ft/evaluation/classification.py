"""Predictions of classification: metrics of resamples, mistakes, and what a report shows."""

import numpy as np
from scipy.sparse import csr_array

from keras_ft.evaluation.report import classification as report
from keras_ft.evaluation.report.page import Section
from keras_ft.evaluation.view import Columns, View


class ClassificationView(View):
    """One label for one text."""

    metric_columns = ("label", "predicted")
    target_columns = ("label",)

    @property
    def labels(self) -> list[str]:
        """The names of the labels by number."""
        return self.task["labels"]

    def mistakes(self, columns: Columns, count: int) -> np.ndarray:
        """The rows of wrong answers, the highest loss first."""
        wrong = np.flatnonzero(columns["label"] != columns["predicted"])
        return wrong[np.argsort(-columns["loss"][wrong], kind="stable")][:count]

    def right(self, columns: Columns) -> dict[str, np.ndarray]:
        """Accuracy."""
        return {"accuracy": columns["label"] == columns["predicted"]}

    def weighted_metrics(self, columns: Columns, weights: np.ndarray) -> dict[str, np.ndarray]:
        """Accuracy, macro F1 over the labels that occur, and Matthews correlation, as scikit-learn has them.

        Micro F1 is not among them: with one label a text it is accuracy.
        """
        label, predicted = columns["label"], columns["predicted"]
        hits, support, given = counts(weights, label, predicted, int(max(label.max(), predicted.max())) + 1)
        total, correct = weights.sum(axis=1, dtype=np.float64), hits.sum(axis=1)
        occurs = (support + given) > 0
        f1 = 2 * hits / np.maximum(support + given, 1e-9)
        spread = (total**2 - (given**2).sum(axis=1)) * (total**2 - (support**2).sum(axis=1))
        covariance = correct * total - (support * given).sum(axis=1)
        return {
            "accuracy": correct / total,
            "macro_f1": f1.sum(axis=1) / occurs.sum(axis=1),
            "mcc": np.where(spread > 0, covariance / np.sqrt(np.maximum(spread, 1e-9)), 0.0),
        }

    def in_terms_of(self, other: View, columns: Columns) -> Columns:
        """Labels by the other run's numbers; those it does not know come after them."""
        numbers = {name: number for number, name in enumerate(other.task["labels"])}
        for name in self.labels:
            numbers.setdefault(name, len(numbers))
        mapped = np.array([numbers[name] for name in self.labels])
        return {**columns, "label": mapped[columns["label"]], "predicted": mapped[columns["predicted"]]}

    def sections(self, columns: Columns) -> list[Section]:
        """Labels one by one, confusion and calibration."""
        return [
            report.per_label(self.labels, columns),
            report.confusion(self.labels, columns),
            report.calibration(columns),
        ]

    def describe_mistake(self, columns: Columns, row: int) -> list[tuple[str, str]]:
        """Both labels with their probabilities, and the loss."""
        return report.describe_mistake(self.labels, columns, row)


def counts(
    weights: np.ndarray, label: np.ndarray, predicted: np.ndarray, size: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The weight of right answers, of examples and of answers by label: `(resamples, size)` each.

    Args:
        weights: `(resamples, examples)`.
        label, predicted: `(examples,)` numbers below `size`.
        size: how many labels.
    """
    right = label == predicted
    hits = _sums(weights[:, right], label[right], size)
    return hits, _sums(weights, label, size), _sums(weights, predicted, size)


def _sums(weights: np.ndarray, numbers: np.ndarray, size: int) -> np.ndarray:
    """The weight of the examples of each number: `(resamples, examples)` → `(resamples, size)` float64."""
    one_hot = csr_array((np.ones(len(numbers)), (np.arange(len(numbers)), numbers)), shape=(len(numbers), size))
    return (one_hot.T @ weights.T.astype(np.float64, copy=False)).T
