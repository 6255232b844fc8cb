"""Predictions of vectors: metrics of resamples, what is far from where it should be, and what a report shows."""

from typing import Any

import numpy as np

from keras_ft.evaluation.rank_correlation import weighted_correlations
from keras_ft.evaluation.report import embedding as report
from keras_ft.evaluation.report.page import Section
from keras_ft.evaluation.view import Columns, View

COLUMNS = {"similarity": ("similarity", "label"), "retrieval": ("rank",), "uniformity": ("crowding",)}
FOUND = {"recall_at_1": 1, "recall_at_10": 10}


class EmbeddingView(View):
    """Cosines beside labels; ranks of partners; or how near texts lie to all others."""

    mistakes_title = "Farthest from where they should be"
    mistakes_text = (
        "Pairs with the highest loss, partners that are found last, or texts that lie nearest to all others."
    )

    def __init__(self, task: dict[str, Any]):
        super().__init__(task)
        self.measure: str = task["measure"]
        self.triplets: bool = task["kind"] == "triplets"

    @property
    def metric_columns(self) -> tuple[str, ...]:  # type: ignore[override]
        """Those of what is measured."""
        return COLUMNS[self.measure] + (("similarity", "negative_similarity") if self.triplets else ())

    @property
    def target_columns(self) -> tuple[str, ...]:  # type: ignore[override]
        """The labels, if there are any."""
        return ("label",) if self.measure == "similarity" else ()

    def mistakes(self, columns: Columns, count: int) -> np.ndarray:
        """The highest loss, rank or crowding first; a partner that is found first is no mistake."""
        if self.measure == "retrieval":
            order = np.argsort(-columns["rank"], kind="stable")[:count]
            return order[columns["rank"][order] > 1]
        return np.argsort(-columns["loss" if self.measure == "similarity" else "crowding"], kind="stable")[:count]

    def right(self, columns: Columns) -> dict[str, np.ndarray]:
        """The recalls, and of triplets whether the partner is nearer than the other."""
        if self.measure != "retrieval":
            return {}
        found = {name: columns["rank"] <= most for name, most in FOUND.items()}
        if self.triplets:
            found["triplet_accuracy"] = columns["similarity"] > columns["negative_similarity"]
        return found

    def weighted_metrics(self, columns: Columns, weights: np.ndarray) -> dict[str, np.ndarray]:
        """Those of the task; what the others of a split are stays as it was, for ranks and for uniformity."""
        if self.measure == "similarity":
            return weighted_correlations(columns["similarity"], columns["label"], weights)
        total = weights.sum(axis=1)
        if self.measure == "uniformity":
            return {"uniformity": np.log(weights @ columns["crowding"] / total)}
        found = {name: weights @ right.astype(np.float64) / total for name, right in self.right(columns).items()}
        return {**found, "mrr": weights @ (1.0 / columns["rank"]) / total}

    def in_terms_of(self, other: View, columns: Columns) -> Columns:
        """As they are."""
        return columns

    def sections(self, columns: Columns) -> list[Section]:
        """Cosines beside labels, ranks, or a histogram of crowding."""
        shown = {"similarity": report.scores, "retrieval": report.ranks, "uniformity": report.spread}
        return [shown[self.measure](columns)]

    def describe_mistake(self, columns: Columns, row: int) -> list[tuple[str, str]]:
        """The numbers of one example."""
        formats = {"label": "{:.4g}", "similarity": "{:.3f}", "negative_similarity": "{:.3f}", "crowding": "{:.3g}"}
        found = [
            (name.replace("_", " "), text.format(columns[name][row]))
            for name, text in formats.items()
            if name in columns
        ]
        return [("rank", f"{columns['rank'][row]:,}"), *found] if "rank" in columns else found
