"""What a client asks, free of HTTP and of gRPC."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from keras_ft.errors import RequestError

Columns = Mapping[str, Any]
"""Values by name, one row an example: lists, arrays or Series; texts as `str`, or bytes."""


@dataclass(frozen=True)
class Request:
    """One request.

    Attributes:
        verb: what is asked.
        model, version: of whom; the latest version where None.
        signature_name: `serving_default` where None.
        instances: one entry an example, a value or named ones.
        inputs: values by column, instead; named ones, or those of the only input.
    """

    verb: Literal["predict", "status", "metadata"]
    model: str
    version: int | None = None
    signature_name: str | None = None
    instances: Any = None
    inputs: Any = None


def chunks(columns: Columns, size: int) -> Iterator[Columns]:
    """The same rows, some at a time and in order; nothing of no rows.

    Arguments:
        columns: equally long.
        size: the most rows of a chunk.

    Raises:
        RequestError: they are not equally long.
    """
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{length} of {name}" for name, length in lengths.items())
        raise RequestError(f"there should be as many of each input, given {told}")
    count = next(iter(lengths.values()), 0)
    for i in range(math.ceil(count / size)):
        yield {name: column[i * size : (i + 1) * size] for name, column in columns.items()}
