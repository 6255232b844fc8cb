"""What a recipe may say about tagging."""

from typing import Annotated

from pydantic import Field

from keras_ft.errors import RequestError
from keras_ft.recipe import Section


class TaggingOptions(Section):
    """`task: {name: tagging, …}`."""

    crf: bool = False
    """Whether tags are learned together with their neighbours, as a conditional random field."""
    stride: Annotated[int, Field(ge=0)] | None = None
    """How many tokens two windows of a long text share; `null`: a quarter of `data.max_length`."""


def stride_of(options: TaggingOptions, max_length: int) -> int:
    """The stride that is asked for.

    Raises:
        RequestError: no window could be moved on by a token.
    """
    if options.stride is None:
        return max_length // 4
    if options.stride > max_length - 3:
        raise RequestError(
            f"task tagging: stride is {options.stride}; with data.max_length {max_length} it should be at most"
            f" {max(0, max_length - 3)}: a window has [CLS] and [SEP] too"
        )
    return options.stride
