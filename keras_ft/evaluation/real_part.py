"""What an engine computed on a part of a batch, brought to one layout: ragged, without what only fills up."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from keras_ft.batch_fields import AXIS_OF_FIELD, FIELDS, Axis

Tensors = dict[str, np.ndarray]


def real_part(
    tensors: Mapping[str, Any], axes: Mapping[str, Axis], outputs: Mapping[str, Any], output_axes: Mapping[str, Axis]
) -> tuple[Tensors, Tensors]:
    """The real tokens, sequences and examples of a part, in their order, and the outputs that belong to them.

    Args:
        tensors: as `data.steps.assemble` gives them, in either layout, with `indices`.
        axes: the axis of each feature among them.
        outputs: of the part, in its layout; tokens may be flat.
        output_axes: the axis of each of them; that of examples where it is not named.
    """
    tensors = {name: np.asarray(values) for name, values in tensors.items()}
    axis_of: dict[str, Axis] = {**AXIS_OF_FIELD, **axes}
    slots = tensors["ids"].ndim
    tensors |= {name: _flat(tensors[name], slots) for name in tensors if axis_of.get(name) == "token"}
    real = tensors["indices"] >= 0  # (examples,)
    of_sequence = np.minimum(tensors["sequence"], len(tensors["first_token"]) - 1)
    is_real = (tensors["token_weights"] > 0) & real[tensors["example_of_sequence"][of_sequence]]
    found = np.flatnonzero(is_real)
    tokens = found[np.lexsort((tensors["positions"][found], tensors["sequence"][found]))]
    sequences, sequence = np.unique(tensors["sequence"][tokens], return_inverse=True)
    taken = {"token": tokens, "sequence": sequences, "example": np.flatnonzero(real)}
    kept = {name: values[taken[axis_of.get(name, "example")]] for name, values in tensors.items() if name in FIELDS}
    kept |= {name: tensors[name][taken[axis]] for name, axis in axes.items()}
    new_number = np.cumsum(real) - 1  # (examples,)
    kept["sequence"] = sequence.astype(np.int32)
    kept["example_of_sequence"] = new_number[kept["example_of_sequence"]].astype(np.int32)
    kept["first_token"] = np.searchsorted(sequence, np.arange(len(sequences))).astype(np.int32)
    kept["indices"] = tensors["indices"][real]
    said = {}
    for name, values in outputs.items():
        axis = output_axes.get(name, "example")
        values = np.asarray(values)
        if axis == "token" and len(values) != len(tensors["ids"]):
            values = _flat(values, slots)
        said[name] = values[taken[axis]]
    return kept, said


def _flat(values: np.ndarray, dimensions: int) -> np.ndarray:
    """`(num_rows, row_length, …)` → `(tokens, …)`; flat ones stay."""
    return values.reshape(-1, *values.shape[dimensions:])
