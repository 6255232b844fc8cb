"""The devices that JAX trains on, as a mesh: examples are divided along `data`, large weights along `model`."""

import math

import jax
import numpy as np
from jax.sharding import AxisType, Mesh

from keras_ft.errors import RequestError
from keras_ft.recipe import MESH_AXES


def make_mesh(strategy: str | dict[str, int]) -> Mesh:
    """A mesh over the first devices of this process.

    Args:
        strategy: the recipe's: `auto` takes all devices for `data`, `one` takes one, a dict says how many on each axis.

    Raises:
        RequestError: there are too few devices.
    """
    devices = jax.devices()
    sizes = strategy if isinstance(strategy, dict) else {"data": len(devices) if strategy == "auto" else 1}
    shape = [sizes.get(axis, 1) for axis in MESH_AXES]
    count = math.prod(shape)
    if count > len(devices):
        raise RequestError(
            f"runtime.strategy {{data: {shape[0]}, model: {shape[1]}}} needs {count} devices; "
            f"JAX sees {len(devices)} ({devices[0].platform})"
        )
    return Mesh(np.array(devices[:count]).reshape(shape), MESH_AXES, axis_types=(AxisType.Auto,) * len(shape))
