"""What checkpoints of every family have in common: a config to check and tensors to assign."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from keras_ft.errors import RequestError
from keras_ft.layers.activation import INFERENCE as ACTIVATIONS

Tensors = dict[str, np.ndarray]


def read_config(path: Path, name: str) -> dict[str, Any]:
    """A checkpoint's config.

    Args:
        path: `config.json` or `bert_config.json`.
        name: how the recipe called the checkpoint, for messages.

    Raises:
        RequestError: it cannot be read.
    """
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RequestError(f"backbone {name}: cannot read {path} ({error})") from None
    if not isinstance(config, dict):
        raise RequestError(f"backbone {name}: {path} should be a JSON object")
    return config


def check_config(config: dict[str, Any], sizes: Iterable[str], activation: str, where: str) -> None:
    """Refuse a config that lacks a size or names an activation that is not known.

    Args:
        config: with defaults filled in.
        sizes: keys of positive whole numbers.
        activation: the key of the activation.
        where: backbone and file, for messages.

    Raises:
        RequestError: it does.
    """
    sizes = list(sizes)
    missing = [key for key in sizes if key not in config]
    if missing:
        raise RequestError(f"{where} lacks {', '.join(missing)}")
    for key in sizes:
        if not isinstance(config[key], int) or isinstance(config[key], bool) or config[key] < 1:
            raise RequestError(f"{where} has {key} {config[key]!r}; it should be a positive number")
    if config[activation] not in ACTIVATIONS:
        raise RequestError(f"{where} has {activation} {config[activation]!r}; known: {', '.join(ACTIVATIONS)}")


def assign(name: str, variables: list[Any], tensors: Tensors, path: Path, family: str) -> None:
    """Assign a tensor to a variable, or the parts of its last axis to several of one size.

    Args:
        name: of the tensor.
        variables: of keras-hub, which may have more axes.
        tensors: of the checkpoint; kernels are `(inputs, outputs)`.
        path: the file that they come from, for messages.
        family: as messages call it.

    Raises:
        RequestError: the tensor is missing or has another shape.
    """
    tensor = tensors.get(name)
    if tensor is None:
        raise RequestError(f"{path} has no tensor '{name}'; it is not a {family} checkpoint")
    shape = tuple(variables[0].shape)
    other = tensor.ndim == len(shape) and len(variables) == 1 and tensor.shape != shape
    if other or tensor.size != len(variables) * np.prod(shape):
        wanted = f"{len(variables)} × {shape}" if len(variables) > 1 else f"{shape}"
        raise RequestError(f"{path}: '{name}' is {tensor.shape}, its config wants {wanted}")
    for variable, part in zip(variables, np.split(tensor, len(variables), axis=-1), strict=True):
        variable.assign(part.reshape(shape))
