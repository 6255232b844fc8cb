"""Which backend Keras computes with: one per process, chosen before Keras is imported (importing TensorFlow does)."""

import ctypes
import importlib.util
import os
import sys

from keras_ft.errors import RequestError

ARENA_MAX, MMAP_MAX, TRIM_THRESHOLD = -8, -4, -1  # of glibc's malloc.h


def use_backend(engine: str) -> None:
    """Let Keras compute with an engine, whatever the user's own setting is.

    Args:
        engine: `tensorflow` or `jax`.

    Raises:
        RequestError: it is not installed.
    """
    if engine == "jax" and importlib.util.find_spec("jax") is None:
        raise RequestError("runtime.engine is jax, which is not installed; pip install 'keras-ft[jax]'")
    if engine == "jax":
        _keep_freed_memory()
    os.environ["KERAS_BACKEND"] = engine


def _keep_freed_memory() -> None:
    """Have this process keep memory that is freed, for the next who asks; to be called before it starts threads.

    A step under JAX on a CPU allocates all that it needs at once and frees it at its end. So much comes from the system
    each time, which clears it page by page when it is touched: an eighth of the processor's time of training a small
    language model. The process stays as large as it was at its largest. No effect but on Linux with glibc.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(ARENA_MAX, 1)  # those of other threads cannot hold much
        mallopt(MMAP_MAX, 0)
        mallopt(TRIM_THRESHOLD, -1)
