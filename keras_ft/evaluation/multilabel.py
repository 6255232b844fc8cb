"""Predictions of several labels a text: metrics of resamples, mistakes, and what a report shows."""

import numpy as np

from keras_ft.evaluation.report import multilabel as report
from keras_ft.evaluation.report.page import Section
from keras_ft.evaluation.view import Columns, View
from keras_ft.tasks.multilabel_metrics import f1_and_accuracy


class MultilabelView(View):
    """Any number of labels for one text."""

    metric_columns = ("labels", "predicted")
    target_columns = ("labels",)

    @property
    def labels(self) -> list[str]:
        """The names of the labels by number."""
        return self.task["labels"]

    def mistakes(self, columns: Columns, count: int) -> np.ndarray:
        """The rows with a label missed or wrongly given, the highest loss first."""
        wrong = np.flatnonzero(~_right(columns))
        return wrong[np.argsort(-columns["loss"][wrong], kind="stable")][:count]

    def right(self, columns: Columns) -> dict[str, np.ndarray]:
        """Accuracy: whether the labels are right as a whole."""
        return {"accuracy": _right(columns)}

    def weighted_metrics(self, columns: Columns, weights: np.ndarray) -> dict[str, np.ndarray]:
        """Micro and macro F1 and the accuracy of whole answers, as scikit-learn has them."""
        return f1_and_accuracy(columns["labels"], columns["predicted"], weights)

    def in_terms_of(self, other: View, columns: Columns) -> Columns:
        """Columns of labels in the other run's order; those it does not know come after them, those it alone knows are
        never there."""
        theirs = list(dict.fromkeys([*other.task["labels"], *self.labels]))
        places = [theirs.index(name) for name in self.labels]

        def moved(values: np.ndarray) -> np.ndarray:
            found = np.zeros((len(values), len(theirs)), values.dtype)
            found[:, places] = values
            return found

        return {**columns, "labels": moved(columns["labels"]), "predicted": moved(columns["predicted"])}

    def sections(self, columns: Columns) -> list[Section]:
        """Labels one by one, which stand in for which, how many a text, and calibration."""
        return [
            report.per_label(self.labels, self.task["thresholds"], columns),
            report.confusion(self.labels, columns),
            report.sizes(columns),
            report.calibration(columns),
        ]

    def describe_mistake(self, columns: Columns, row: int) -> list[tuple[str, str]]:
        """What was wanted and what was given with its probability, and the loss."""
        return report.describe_mistake(self.labels, columns, row)


def _right(columns: Columns) -> np.ndarray:
    return (columns["labels"] == columns["predicted"]).all(axis=1)
