"""Tiny models and gradients to try optimizers on, with either backend."""

import keras
import keras_hub
import numpy as np

from keras_ft.layers.arithmetic import Arithmetic
from keras_ft.layers.task_model import TaskModel

RATES = {"adamw": 1e-2, "adam": 1e-2, "sgd": 1e-1, "adafactor": 1e-2, "lamb": 1e-2, "lion": 1e-3}


def tiny_model(layers: int = 1, extra: dict | None = None) -> TaskModel:
    """A classifier whose weights are the same each time, biases and norms included."""
    backbone = keras_hub.models.BertBackbone(50, layers, 2, 8, 16, max_sequence_length=16, dropout=0.0)
    model = TaskModel(backbone, Arithmetic(), 3, extra=extra)
    rng = np.random.default_rng(1)
    for variable in model.variables:
        variable.assign(rng.normal(0, 0.5, variable.shape).astype("float32"))
    return model


def gradients_of(variables: list, step: int) -> list[np.ndarray]:
    rng = np.random.default_rng(100 + step)
    return [rng.normal(0, 0.1, v.shape).astype("float32") for v in variables]


def update(optimizer: keras.optimizers.Optimizer, variables: list, gradients: list) -> None:
    """One step as the engine of the backend makes it."""
    gradients = [keras.ops.convert_to_tensor(g) for g in gradients]
    if keras.backend.backend() == "tensorflow":
        optimizer.apply_gradients(zip(gradients, variables, strict=True))
        return
    state = [v.value for v in optimizer.variables]
    weights, state = optimizer.stateless_apply(state, gradients, [v.value for v in variables])
    for variable, value in zip([*variables, *optimizer.variables], [*weights, *state], strict=True):
        variable.assign(value)


def arrays(variables: list) -> list[np.ndarray]:
    return [np.array(v) for v in variables]
