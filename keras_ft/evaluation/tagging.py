"""Predictions of tagging: metrics of resamples, mistakes, and what a report shows."""

import numpy as np

from keras_ft.evaluation.report import tagging as report
from keras_ft.evaluation.report.page import Section
from keras_ft.evaluation.view import Columns, View
from keras_ft.tasks.tagging_metrics import scores


class TaggingView(View):
    """Entities found in texts."""

    metric_columns = ("gold", "predicted", "hits")
    target_columns = ("gold",)
    mistakes_text = (
        "Texts with entities that were missed or wrongly found, those with the highest loss first. Where the data look"
        " wrong, they may be: mend them."
    )

    @property
    def labels(self) -> list[str]:
        """The names of the labels by number."""
        return self.task["labels"]

    @property
    def cuts_texts(self) -> bool:
        """No: long texts are cut into windows."""
        return False

    @property
    def long_texts(self) -> str:
        """What `data.max_length` means."""
        return "what is longer is cut into overlapping windows"

    def mistakes(self, columns: Columns, count: int) -> np.ndarray:
        """The rows where not all is found, or more than there is, the highest loss first."""
        hits = columns["hits"]
        wrong = np.flatnonzero((columns["gold"] != hits) | (columns["predicted"] != hits))
        return wrong[np.argsort(-columns["loss"][wrong], kind="stable")][:count]

    def right(self, columns: Columns) -> dict[str, np.ndarray]:
        """No metric is a share of right answers."""
        return {}

    def weighted_metrics(self, columns: Columns, weights: np.ndarray) -> dict[str, np.ndarray]:
        """Precision, recall and F1 over the entities of examples that count so many times."""
        return scores(*(weights.astype(np.float64) @ columns[name] for name in ("hits", "predicted", "gold")))

    def in_terms_of(self, other: View, columns: Columns) -> Columns:
        """As they are: counts over all labels."""
        return columns

    def sections(self, columns: Columns) -> list[Section]:
        """Labels one by one."""
        return [report.per_label(self.labels, columns)]

    def describe_mistake(self, columns: Columns, row: int) -> list[tuple[str, str]]:
        """How many entities there are and were found, and the loss."""
        return report.describe_mistake(columns, row)

    def mistake_facts(self, columns: Columns, row: int, texts: dict[str, str]) -> list[tuple[str, str]]:
        """The entities that were missed and those wrongly found, in words, and the loss."""
        return report.mistake_facts(self.labels, columns, row, texts["text"])
