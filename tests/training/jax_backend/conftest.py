"""Tests of a process whose backend is JAX with 4 virtual devices: `test_jax_backend.py` starts it."""

import os
from pathlib import Path

import numpy as np
import pytest

from keras_ft.data.arrays import TokenArrays

collect_ignore_glob = [] if os.environ.get("KERAS_FT_TF_RESULTS") else ["test_*.py"]


@pytest.fixture(scope="session")
def results() -> Path:
    """The folder that the TensorFlow process wrote its results to."""
    return Path(os.environ["KERAS_FT_TF_RESULTS"])


@pytest.fixture(scope="session")
def arrays(results) -> TokenArrays:
    return TokenArrays.open(results / "arrays", "f")


@pytest.fixture(scope="session")
def read(results):
    return lambda name: dict(np.load(results / f"{name}.npz"))
