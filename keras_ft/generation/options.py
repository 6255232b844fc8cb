"""How a language model writes: the recipe's `generation`, and the settings of a request."""

from typing import Annotated

from pydantic import Field, PositiveInt, model_validator

from keras_ft.recipe import Section

MOST = 2**31 - 1  # of an int32


class GenerationOptions(Section):
    """`task: {name: text2text, generation: {…}}`: what `serving_default` does, and the defaults of `sample`."""

    max_new_tokens: Annotated[int, Field(ge=0, le=MOST)] = 64
    """The most tokens to write; what the model has room for behind the prompt may be less."""
    min_new_tokens: Annotated[int, Field(ge=0)] = 0
    """So many tokens are written before the text may end."""
    do_sample: bool = False
    """Draw tokens instead of taking the most probable; `temperature`, `top_k` and `top_p` are of this."""
    temperature: Annotated[float, Field(ge=0.0, allow_inf_nan=False)] = 1.0
    """Logits are divided by it; 0 takes the most probable token."""
    top_k: Annotated[int, Field(ge=0, le=MOST)] = 0
    """Draw from so many of the most probable tokens; 0 from all."""
    top_p: Annotated[float, Field(gt=0.0, le=1.0)] = 1.0
    """Draw from the most probable tokens that together have this probability (Holtzman et al. 2020)."""
    seed: Annotated[int, Field(ge=0, le=MOST)] = 0
    """Of the draws; the same seed gives the same text, whatever else is in the batch."""
    num_beams: PositiveInt = 1
    """Search with so many beams."""
    num_return: PositiveInt = 1
    """How many of the beams' texts are given, best first."""
    length_penalty: Annotated[float, Field(allow_inf_nan=False)] = 1.0
    """Beams are ranked by log-probability / length ** length_penalty."""
    early_stopping: bool = False
    """End a beam search as soon as there are `num_beams` finished texts."""
    repetition_penalty: Annotated[float, Field(gt=0.0, allow_inf_nan=False)] = 1.0
    """Above 1 makes tokens that were seen less probable (Keskar et al. 2019)."""
    no_repeat_ngram: Annotated[int, Field(ge=0)] = 0
    """No sequence of so many tokens comes twice; 0 allows it."""
    prompt_lookup_num_tokens: Annotated[int, Field(ge=0, le=31)] = 4
    """Of a text that is written alone, so many tokens are guessed from what came before and checked at once, which
    changes nothing but the time it takes; 0 guesses none."""
    stop: Annotated[list[str], Field(default_factory=list)]
    """Strings that end the text, whatever is still missing in it; they are not part of it."""
    forced_words: Annotated[list[str], Field(default_factory=list)]
    """Words that must occur in the text, as far as there is room for them; no other rule keeps them out."""
    banned_words: Annotated[list[str], Field(default_factory=list)]
    """Words that must not occur in the text."""

    @model_validator(mode="after")
    def _settle(self) -> "GenerationOptions":
        if self.num_beams > 1 and self.do_sample:
            raise ValueError("'num_beams' searches and 'do_sample' draws; give one of them")
        if self.num_return > self.num_beams:
            raise ValueError(f"'num_return' should be at most 'num_beams', {self.num_beams}")
        if self.min_new_tokens > self.max_new_tokens:
            raise ValueError(f"'min_new_tokens' should be at most 'max_new_tokens', {self.max_new_tokens}")
        for name in ("stop", "forced_words", "banned_words"):
            if "" in getattr(self, name):
                raise ValueError(f"'{name}' should hold no empty string")
        return self
