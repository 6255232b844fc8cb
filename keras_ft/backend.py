"""Which backend Keras computes with: one per process, chosen before Keras is imported (importing TensorFlow does)."""

import importlib.util
import os

from keras_ft.errors import RequestError


def use_backend(engine: str) -> None:
    """Let Keras compute with an engine, whatever the user's own setting is.

    Args:
        engine: `tensorflow` or `jax`.

    Raises:
        RequestError: it is not installed.
    """
    if engine == "jax" and importlib.util.find_spec("jax") is None:
        raise RequestError("runtime.engine is jax, which is not installed; pip install 'keras-ft[jax]'")
    os.environ["KERAS_BACKEND"] = engine
