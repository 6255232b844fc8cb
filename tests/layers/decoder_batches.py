"""A small GPT-2, and one batch in both layouts, for either backend."""

import keras
import keras_hub
import numpy as np

from keras_ft.batch import TokenBatch

LENGTHS = [5, 17, 1, 9, 32]
ROW_LENGTH = 33
ROWS = [(0, 5), (5, 17), (22, 1), (ROW_LENGTH, 9), (2 * ROW_LENGTH, 32)]  # where each sequence lies: slot and length
IDS = np.random.default_rng(1).integers(0, 100, sum(LENGTHS)).astype("int32")


def make_backbone():
    made = keras_hub.models.GPT2Backbone(100, 3, 4, 32, 64, max_sequence_length=40, dropout=0.0)
    rng = np.random.default_rng(0)
    for variable in made.variables:  # no zero biases: a bias in the wrong place must show
        variable.assign(variable.path.endswith("gamma") + rng.normal(0, 0.2, variable.shape))
    return made


def ragged() -> TokenBatch:
    return TokenBatch.from_lengths(keras.ops.convert_to_tensor(IDS), keras.ops.convert_to_tensor(LENGTHS))


def rows() -> TokenBatch:
    """Three rows; slots without a token hold filler."""
    slots = {name: np.zeros(3 * ROW_LENGTH, "int32") for name in ("ids", "positions", "segments")}
    sequence, token_weights = np.full(3 * ROW_LENGTH, 5, "int32"), np.zeros(3 * ROW_LENGTH, "float32")
    source = np.split(IDS, np.cumsum(LENGTHS)[:-1])
    for number, ((start, length), ids) in enumerate(zip(ROWS, source, strict=True)):
        place = slice(start, start + length)
        slots["ids"][place], slots["positions"][place] = ids, np.arange(length)
        sequence[place], token_weights[place] = number, 1.0
    flat = {**slots, "sequence": sequence, "token_weights": token_weights}
    return TokenBatch.from_tensors(
        {
            **{name: keras.ops.convert_to_tensor(values.reshape(3, ROW_LENGTH)) for name, values in flat.items()},
            "example_of_sequence": np.arange(5, dtype="int32"),
            "window_start": np.zeros(5, "int32"),
            "first_token": np.array([start for start, _ in ROWS], "int32"),
            "example_weights": np.ones(5, "float32"),
        },
        axes={},
    )
