"""The splits of a recipe as they were seen, and what the recipe makes of them."""

from collections.abc import Hashable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from keras_ft.data.sources import sources_of
from keras_ft.inspection.answers import Answers
from keras_ft.inspection.languages import Languages, languages_of
from keras_ft.inspection.split_survey import SplitSurvey, Tell, survey_split
from keras_ft.inspection.tokens import counter_of
from keras_ft.presets.pretrained import Pretrained
from keras_ft.recipe import Recipe
from keras_ft.tasks.base import Task
from keras_ft.tasks.registry import check_backbone, check_task


@dataclass
class Survey:
    """All that checks look at.

    Attributes:
        recipe: as given.
        kind: its task.
        options: of the task.
        splits: `train` first, then `validation` and `test` where they have files of their own.
        answers: of the rows of all splits.
        positions: the longest sequence that the backbone can take.
        lowercases: whether the tokenizer makes all letters small.
        backbone: as messages call it.
    """

    recipe: Recipe
    kind: type[Task]
    options: Any
    splits: dict[str, SplitSurvey]
    answers: Answers
    positions: int
    lowercases: bool
    backbone: str

    @property
    def train(self) -> SplitSurvey:
        """The split that the model learns from."""
        return self.splits["train"]

    @property
    def max_length(self) -> int:
        """Tokens that the recipe leaves of a text."""
        return self.recipe.data.max_length

    @property
    def cut_at(self) -> int | None:
        """Tokens that the recipe leaves of a row; None where rows are joined and cut into blocks."""
        return self.kind.cut_at(self.options, self.max_length)

    def example_lengths(self, split: SplitSurvey) -> np.ndarray:
        """Tokens of each example that the rows of a split make."""
        if self.cut_at is not None:
            return np.minimum(split.rows.length, self.cut_at)
        tokens = int(split.rows.length.sum())
        return np.full(-(-tokens // self.max_length), self.max_length)

    @property
    def label_names(self) -> list[str]:
        """The names of the labels that occur; those of train come first."""
        return self.answers.labels

    @cached_property
    def label_counts(self) -> dict[str, np.ndarray]:
        """Split → how many rows have each label, `(labels,)`."""
        size = len(self.answers.strata)
        counts = {name: np.bincount(split.rows.answer, minlength=size) for name, split in self.splits.items()}
        return {name: self.answers.membership.T @ found for name, found in counts.items()}

    def rows_with(self, split: SplitSurvey, labels: np.ndarray) -> np.ndarray:
        """Which rows of a split have one of these labels at least, `(rows,)` bool.

        Args:
            split: of this survey.
            labels: their numbers.
        """
        wanted = np.zeros(len(self.label_names), np.int64)
        wanted[labels] = 1
        return (self.answers.membership @ wanted > 0)[split.rows.answer]

    @cached_property
    def languages(self) -> dict[str, Languages]:
        """Split → the languages of a sample of it."""
        return {name: languages_of(split.sample) for name, split in self.splits.items()}


def survey(recipe: Recipe, pretrained: Pretrained, tell: Tell) -> Survey:
    """Read every split of a recipe.

    Args:
        recipe: from `keras_ft.recipe_file.load_recipe`.
        pretrained: its backbone.
        tell: is given a line for the user.

    Raises:
        RequestError: the recipe or the name of a file is wrong.
    """
    kind, options = check_task(recipe)
    check_backbone(kind, pretrained)
    sources = sources_of(recipe.data, kind.division(options))
    counter = counter_of(kind, options, pretrained)
    numbers: dict[Hashable, int] = {}
    splits = {
        name: survey_split(name, kind, found, recipe.data.columns, counter, numbers, tell)
        for name, found in sources.items()
    }
    return Survey(
        recipe=recipe,
        kind=kind,
        options=options,
        splits=splits,
        answers=Answers(list(numbers)),
        positions=pretrained.backbone.max_sequence_length,
        lowercases=getattr(pretrained.tokenizer, "lowercase", False),
        backbone=pretrained.name,
    )
