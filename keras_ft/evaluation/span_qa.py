"""Predictions of answers from a text: metrics of resamples, mistakes, and what a report shows."""

import numpy as np

from keras_ft.evaluation.report import span_qa as report
from keras_ft.evaluation.report.page import Section
from keras_ft.evaluation.view import Columns, View


class SpanQAView(View):
    """An answer, or none, for each question."""

    metric_columns = ("exact_match", "f1", "answerable")
    target_columns = ("answerable",)
    mistakes_text = "Answers with the lowest F1 first, among them those with the highest loss."

    @property
    def cuts_texts(self) -> bool:
        """Contexts are never cut."""
        return False

    @property
    def long_texts(self) -> str:
        """They are read in windows."""
        return "a longer context is read in overlapping windows, the tokens of all of which are counted here"

    @property
    def abstains(self) -> bool:
        """Whether answers may be empty."""
        return self.task["no_answer_threshold"] is not None

    def mistakes(self, columns: Columns, count: int) -> np.ndarray:
        """The rows of answers that are not exact, the lowest F1 first and of equal ones the highest loss."""
        wrong = np.flatnonzero(columns["exact_match"] < 1)
        return wrong[np.lexsort([-columns["loss"][wrong], columns["f1"][wrong]])][:count]

    def right(self, columns: Columns) -> dict[str, np.ndarray]:
        """Exact match."""
        return {"exact_match": columns["exact_match"] == 1}

    def weighted_metrics(self, columns: Columns, weights: np.ndarray) -> dict[str, np.ndarray]:
        """Exact match and F1, also of questions with and without an answer where answers may be empty."""
        everywhere = np.ones(len(columns["f1"]), bool)
        wanted = {"exact_match": ("exact_match", everywhere), "f1": ("f1", everywhere)}
        if self.abstains:
            answerable = columns["answerable"].astype(bool)
            wanted |= {"has_answer_f1": ("f1", answerable), "no_answer_f1": ("f1", ~answerable)}
        return {name: _mean(columns[column], weights, of) for name, (column, of) in wanted.items()}

    def in_terms_of(self, other: View, columns: Columns) -> Columns:
        """As they are."""
        return columns

    def sections(self, columns: Columns) -> list[Section]:
        """Questions by kind and by the length of their answers, and some answers beside those wanted."""
        return [report.kinds(self.task, columns), report.samples(columns)]

    def describe_mistake(self, columns: Columns, row: int) -> list[tuple[str, str]]:
        """The answer, the ones wanted, and scores."""
        return report.describe_mistake(columns, row)


def _mean(values: np.ndarray, weights: np.ndarray, of: np.ndarray) -> np.ndarray:
    """`(resamples,)`: 0 where there are no such examples."""
    total = weights[:, of].sum(axis=1, dtype=np.float64)
    return weights[:, of] @ values[of].astype(np.float64) / np.maximum(total, 1e-9)
