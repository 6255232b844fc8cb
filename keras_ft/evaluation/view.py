"""What a task must say of its predictions for reports and comparisons; it needs no model, only the files."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np

from keras_ft.evaluation.report.page import Section

Columns = dict[str, np.ndarray]
LOWER_IS_BETTER = ("loss", "perplexity", "uniformity", "mse", "mae")
"""The metrics of which less is better; of all others more."""


class View(ABC):
    """How the predictions of one task are looked at.

    Args:
        task: as `keras_ft.tasks.registry.describe` gives it.
    """

    metric_columns: ClassVar[tuple[str, ...]]  # what `weighted_metrics` reads
    target_columns: ClassVar[tuple[str, ...]]  # those of them that do not depend on the model
    mistakes_title: ClassVar[str] = "Worst mistakes"
    mistakes_text: ClassVar[str] = (
        "Wrong answers with the highest loss first. Where the label looks wrong, it may be: mend the data."
    )

    def __init__(self, task: dict[str, Any]):
        self.task = task

    @property
    def cuts_texts(self) -> bool:
        """Whether the end of a text that is too long is lost."""
        return True

    @property
    def long_texts(self) -> str:
        """What becomes of a text longer than `data.max_length`."""
        return "what is longer is cut there" if self.cuts_texts else "texts are joined and cut into blocks"

    @abstractmethod
    def mistakes(self, columns: Columns, count: int) -> np.ndarray:
        """The rows of at most `count` wrong answers, the highest loss first."""

    @abstractmethod
    def right(self, columns: Columns) -> dict[str, np.ndarray]:
        """For each metric that is a share of right answers: whether each answer was right, `(examples,)` bool."""

    @abstractmethod
    def weighted_metrics(self, columns: Columns, weights: np.ndarray) -> dict[str, np.ndarray]:
        """The metrics where example i counts `weights[r, i]` times: `(resamples,)` each.

        Args:
            columns: those of `metric_columns`, `(examples, …)`.
            weights: `(resamples, examples)`.
        """

    @abstractmethod
    def in_terms_of(self, other: "View", columns: Columns) -> Columns:
        """These columns as numbers that mean the same as those of another run of the task."""

    @abstractmethod
    def sections(self, columns: Columns) -> list[Section]:
        """What a report shows for this task alone."""

    @abstractmethod
    def describe_mistake(self, columns: Columns, row: int) -> list[tuple[str, str]]:
        """What stands beside the text of a mistake: name and value."""

    def mistake_facts(self, columns: Columns, row: int, texts: dict[str, str]) -> list[tuple[str, str]]:
        """The same where its texts are known, by column; their ends may be lacking."""
        return self.describe_mistake(columns, row)
