"""pandas in and out; imported here alone, when a frame is given."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from keras_ft.errors import RequestError, WorkError
from keras_ft.serving.client.questions import Question, values
from keras_ft.serving.client.request import Columns
from keras_ft.serving.signature import DEFAULT_SIGNATURE


def signature_of(metadata: Mapping[str, Any], model: str, signature_name: str | None) -> Mapping[str, Any]:
    """A signature of a model's metadata; raises `RequestError` where there is none of that name."""
    name = signature_name or DEFAULT_SIGNATURE
    if name not in metadata:
        raise RequestError(f"{model} has no signature '{name}'; it has {', '.join(sorted(metadata))}")
    return metadata[name]


def frame_question(frame: Any, model: str, signature: Mapping[str, Any], signature_name: str | None) -> Question:
    """The columns that a signature takes; an answer is a dict of the scalar fields of a row.

    Raises:
        RequestError: the frame has not all of them.
    """
    missing = sorted(name for name in signature["inputs"] if name not in frame.columns)
    if missing:
        told = ", ".join(map(str, frame.columns))
        raise RequestError(f"{model} takes '{missing[0]}', which is no column of the frame; it has {told}")
    inputs = {name: values(frame[name]) for name in sorted(signature["inputs"])}

    def read(inputs: Columns, found: Columns) -> list[dict[str, Any]]:
        count = len(next(iter(inputs.values())))
        scalars = {name: column for name, column in found.items() if np.ndim(column[:1]) == 1}
        if any(len(column) != count for column in found.values()):
            raise WorkError(f"{model} does not answer row by row; ask it with 'predict'")
        return [dict(zip(scalars, row, strict=True)) for row in zip(*scalars.values(), strict=True)]

    return Question("frames", inputs, tuple(signature["outputs"]), read, signature_name)


def frame_of(rows: list[dict[str, Any]], frame: Any) -> Any:
    """Answers as a frame with the index of the one that was asked."""
    import pandas as pd

    return pd.DataFrame(rows, index=frame.index)
