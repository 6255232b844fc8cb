"""The names of a TokenBatch's fields, and what each runs along; the data readers need them without Keras."""

from typing import Literal

Axis = Literal["token", "sequence", "example"]

TOKEN_FIELDS = ("ids", "positions", "segments", "sequence", "token_weights")
SEQUENCE_FIELDS = ("example_of_sequence", "window_start", "first_token")
EXAMPLE_FIELDS = ("example_weights",)
FIELDS = TOKEN_FIELDS + SEQUENCE_FIELDS + EXAMPLE_FIELDS
AXIS_OF_FIELD: dict[str, Axis] = {
    **dict.fromkeys(TOKEN_FIELDS, "token"),
    **dict.fromkeys(SEQUENCE_FIELDS, "sequence"),
    **dict.fromkeys(EXAMPLE_FIELDS, "example"),
}
