"""Predictions of relations: a classifier's, measured as relations are."""

import numpy as np

from keras_ft.evaluation.classification import ClassificationView, counts
from keras_ft.evaluation.view import Columns
from keras_ft.tasks.relation_metrics import Counts, relation_scores


class RelationView(ClassificationView):
    """One relation for two entities of a text."""

    def weighted_metrics(self, columns: Columns, weights: np.ndarray) -> dict[str, np.ndarray]:
        """The scores of `relation_scores`."""
        label, predicted = columns["label"], columns["predicted"]
        size = max(len(self.labels), int(max(label.max(), predicted.max())) + 1)
        found = Counts(*counts(weights, label, predicted, size))
        return relation_scores(found, self.labels, self.task["negative_label"])
