"""What a recipe may say about every task that learns to write."""

from typing import Annotated

from pydantic import Field, field_validator

from keras_ft.generation.options import GenerationOptions
from keras_ft.recipe import Section


class LanguageOptions(Section):
    """Options that `causal_lm`, `text2text` and `dialogue` share."""

    label_smoothing: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    """So much of each target goes to all tokens alike (Szegedy et al. 2016); validation and test are without."""
    added_tokens: Annotated[list[str], Field(default_factory=list)]
    """Special tokens that the vocabulary gets, for a template to hold; written in a text they stay text."""
    generation: Annotated[GenerationOptions, Field(default_factory=GenerationOptions)]
    """How the model writes where a request says nothing else."""

    @field_validator("added_tokens")
    @classmethod
    def _no_blanks(cls, tokens: list[str]) -> list[str]:
        for token in tokens:
            if not token.strip():
                raise ValueError(f"a token should have a character that is not white space ({token!r} has none)")
        return tokens
