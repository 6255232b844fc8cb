"""What a recipe may say about answers that are parts of a text."""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt, PositiveInt

from keras_ft.recipe import Section

Normalization = Literal["squad", "cmrc"]
Threshold = Annotated[float, Field(allow_inf_nan=False)] | Literal["auto", "never"]


class SpanQAOptions(Section):
    """`task: {name: span_qa, …}`."""

    stride: NonNegativeInt = 128
    """Tokens that two neighbouring windows of a long context share; at least a quarter of each window is new."""
    max_question_length: PositiveInt = 64
    """The most tokens of a question, and never more than half of `data.max_length`; the rest is cut off."""
    max_answer_length: PositiveInt = 30
    """The most tokens of an answer. Longer ones are learned from, but never given."""
    no_answer_threshold: Threshold = "auto"
    """The answer is empty where `no_answer_score` is above it. `auto`: the number that gives the best F1 on validation
    if the training data have questions without an answer, else `never`, with which there always is an answer."""
    normalization: Normalization | Literal["auto"] = "auto"
    """How answers are compared: `squad` by words, without case, punctuation and articles; `cmrc` by characters, as
    the script of CMRC 2018 does; `auto`: `cmrc` where most characters of the training answers are Chinese."""
