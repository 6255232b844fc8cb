"""A target text for a source text: translations, summaries, titles."""

from typing import Any

import tensorflow as tf
from pydantic import model_validator

from keras_ft.errors import RequestError
from keras_ft.tasks.language import LanguageTask, Tensor, end_id
from keras_ft.tasks.language_options import LanguageOptions
from keras_ft.tasks.prompt_text import PromptText
from keras_ft.tasks.templates import filled
from keras_ft.text.assemble import Sequences
from keras_ft.text.load import Tokenizer
from keras_ft.text.slices import joined_slices


class Text2TextOptions(LanguageOptions):
    """`task: {name: text2text, …}`."""

    template: str = "{source}\n"
    """What the model reads before the target: a text with `{source}`, or `translation`, `summarization` or `title`."""
    source_language: str | None = None
    """Its name, for templates with `{source_language}`, as `translation` is one."""
    target_language: str | None = None
    """Its name, for templates with `{target_language}`."""

    @model_validator(mode="after")
    def _settle(self) -> "Text2TextOptions":
        try:
            filled(self.template, self.languages)
        except ValueError as error:
            raise ValueError(f"template: {error}") from None
        return self

    @property
    def languages(self) -> dict[str, str | None]:
        """The fields of a template besides the source."""
        return {"source_language": self.source_language, "target_language": self.target_language}


class Text2Text(LanguageTask):
    """Predicts the tokens of a target, and its end, from a source in a template.

    The target's tokens are apart from the prompt's, so that a prompt is the same in training and in requests.

    Args:
        template, source_language, target_language: as in the recipe.
        others: as `LanguageTask` has them.
    """

    name = "text2text"
    Options = Text2TextOptions
    text_columns = ("source",)
    feature_columns = ("source", "target")

    def __init__(
        self,
        template: str = "{source}\n",
        source_language: str | None = None,
        target_language: str | None = None,
        **others: Any,
    ):
        super().__init__(**others)
        self.template = template
        self.languages = {"source_language": source_language, "target_language": target_language}

    def to_json(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"template": self.template, **self.languages, **super().to_json()}

    def references(self, columns: dict[str, list]) -> list[str]:
        """The targets."""
        return columns["target"]

    def features(self, tokenizer: Tokenizer, columns: dict[str, Tensor]) -> Sequences:
        """The template with the source, the target, end-of-text; the target and its end are of segment 1.

        Where they are longer than `max_length`, the target gets what the prompt leaves, but at least half; the prompt
        is cut at the right end of the source, and a target that is too long loses its end.
        """
        target = tokenizer.tokenize(columns["target"]).with_row_splits_dtype(tf.int64)
        prompt = self._prompt_text(tokenizer).tokens(tokenizer, columns["source"])
        wanted = target.row_lengths() + 1  # end-of-text included
        half = tf.constant(self.max_length // 2, tf.int64)
        kept = tf.minimum(wanted, tf.maximum(half, self.max_length - prompt.lengths))
        pool, starts, counts, cut = prompt.within(self.max_length - kept)
        offset = tf.size(pool, tf.int64)
        pool = tf.concat([pool, [end_id(tokenizer)], target.values], 0)
        ended = tf.cast(kept == wanted, tf.int64)
        starts = tf.concat([starts, tf.stack([offset + 1 + target.row_starts(), offset + 0 * kept], 1)], 1)
        counts = tf.concat([counts, tf.stack([kept - ended, ended], 1)], 1)
        segments = tf.concat([tf.zeros_like(counts[:, 2:]), tf.ones_like(counts[:, :2])], 1)
        sequences = joined_slices(pool, starts, counts, tf.cast(segments, tf.int32))
        return Sequences(*sequences, cut | (kept < wanted))

    def prompts(self, tokenizer: Tokenizer, columns: dict[str, Tensor]) -> Sequences:
        """The template with the source, which is cut at its right end; where both are empty, end-of-text alone."""
        prompt = self._prompt_text(tokenizer).tokens(tokenizer, columns["source"])
        pool, starts, counts, cut = prompt.within(self.prompt_room + 0 * prompt.lengths)
        empty = tf.cast(prompt.lengths == 0, tf.int64)
        starts = tf.concat([starts, tf.fill([tf.size(empty), 1], tf.size(pool, tf.int64))], 1)
        counts = tf.concat([counts, empty[:, None]], 1)
        pool = tf.concat([pool, [end_id(tokenizer)]], 0)
        return Sequences(*joined_slices(pool, starts, counts, tf.zeros_like(counts, tf.int32)), cut)

    def _prompt_text(self, tokenizer: Tokenizer) -> PromptText:
        before, behind = filled(self.template, self.languages)
        prompt = PromptText.of(tokenizer, before, behind)
        room = self.max_length - self.max_length // 2
        if prompt.num_fixed >= room:
            raise RequestError(
                f"task text2text: the template alone has {prompt.num_fixed} tokens, which leave none of the "
                f"{room} that a prompt may have for the source; raise data.max_length above {2 * prompt.num_fixed}"
            )
        return prompt
