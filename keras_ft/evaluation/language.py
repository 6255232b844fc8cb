"""Predictions of language models: resampled perplexity, and the texts that are predicted worst."""

import numpy as np

from keras_ft.evaluation.report.page import Section
from keras_ft.evaluation.view import Columns, View


class LanguageView(View):
    """The mean loss of each example's predicted tokens, and how many they are."""

    metric_columns = ("loss", "predicted")
    target_columns = ("predicted",)
    mistakes_title = "Hardest texts"
    mistakes_text = "Texts whose tokens the model finds the least probable, the worst first."

    @property
    def cuts_texts(self) -> bool:
        """Not where texts are joined to blocks."""
        return not self.task.get("blocks", False)

    @property
    def limit_text(self) -> str:
        """What `data.max_length` means."""
        return super().limit_text if self.cuts_texts else "texts are joined and cut into blocks."

    def mistakes(self, columns: Columns, count: int) -> np.ndarray:
        """The examples with the highest loss a token."""
        return np.argsort(-columns["loss"], kind="stable")[:count]

    def right(self, columns: Columns) -> dict[str, np.ndarray]:
        """No metric is a share of right answers."""
        return {}

    def weighted_metrics(self, columns: Columns, weights: np.ndarray) -> dict[str, np.ndarray]:
        """Loss and perplexity; an example counts as many times its tokens as it weighs."""
        tokens = weights * columns["predicted"]  # (resamples, examples)
        loss = tokens @ columns["loss"].astype(np.float64) / np.maximum(tokens.sum(axis=1), 1.0)
        return {"loss": loss, "perplexity": np.exp(np.minimum(loss, 700.0))}

    def in_terms_of(self, other: View, columns: Columns) -> Columns:
        """As they are."""
        return columns

    def sections(self, columns: Columns) -> list[Section]:
        """Nothing so far."""
        return []

    def describe_mistake(self, columns: Columns, row: int) -> list[tuple[str, str]]:
        """The loss a token, and how many tokens there are."""
        return [("loss a token", f"{columns['loss'][row]:.3f}"), ("tokens predicted", f"{columns['predicted'][row]:,}")]
