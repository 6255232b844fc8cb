"""`keras-ft inspect`: a recipe → what its data hold and what is wrong with them; nothing is trained."""

from dataclasses import dataclass
from typing import Any

from keras_ft.inspection.advice import Suggestion, suggestions
from keras_ft.inspection.checks import checks_for
from keras_ft.inspection.finding import Finding, worst_first
from keras_ft.inspection.split_survey import Tell
from keras_ft.inspection.statistics import statistics
from keras_ft.inspection.survey import survey
from keras_ft.presets.pretrained import Pretrained
from keras_ft.recipe import Recipe


@dataclass(frozen=True)
class Inspection:
    """What was found.

    Attributes:
        settings: of the recipe, as far as they bear on the data.
        findings: the worst first.
        suggestions: settings that would suit better.
        splits: split → its figures; `all` has those over all splits.
    """

    settings: dict[str, Any]
    findings: list[Finding]
    suggestions: list[Suggestion]
    splits: dict[str, dict[str, Any]]

    @property
    def has_problem(self) -> bool:
        """Whether training would be refused, or its figures would be wrong."""
        return any(finding.severity == "problem" for finding in self.findings)

    def to_json(self) -> dict[str, Any]:
        """As one object."""
        return {
            "settings": self.settings,
            "findings": [finding.to_json() for finding in self.findings],
            "suggestions": [suggestion.to_json() for suggestion in self.suggestions],
            "splits": self.splits,
        }


def inspect(recipe: Recipe, pretrained: Pretrained, tell: Tell) -> Inspection:
    """Read the data of a recipe and look for defects.

    Memory use is some forty bytes a row, whatever the texts.

    Args:
        recipe: from `keras_ft.recipe_file.load_recipe`.
        pretrained: its backbone, for the tokenizer and the positions.
        tell: is given a line for the user.

    Raises:
        RequestError: the recipe or the name of a file is wrong. What is wrong in a file is a finding.
    """
    seen = survey(recipe, pretrained, tell)
    findings = [finding.writable() for check in checks_for(seen.kind.name) for finding in check(seen)]
    settings = {
        "task": seen.kind.name,
        "backbone": seen.backbone,
        "max_length": seen.max_length,
        "positions": seen.positions,
        "lowercase": seen.lowercases,
        "validation": recipe.data.validation if isinstance(recipe.data.validation, float) else "file",
    }
    return Inspection(settings, worst_first(findings), suggestions(seen), statistics(seen))
