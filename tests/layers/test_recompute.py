"""Activation checkpointing; the last test runs one of the others with JAX."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops

from keras_ft.batch import TokenBatch
from keras_ft.layers.encoder import encode, pool
from keras_ft.layers.random import Key
from tests.updates import tiny_model

LENGTHS = [5, 9, 3, 16]


def random_batch() -> TokenBatch:
    rng = np.random.default_rng(1)
    ids = ops.convert_to_tensor(rng.integers(0, 50, sum(LENGTHS)).astype("int32"))
    batch = TokenBatch.from_lengths(ids, ops.convert_to_tensor(np.array(LENGTHS, "int32")))
    return replace(batch, longest=max(LENGTHS))  # a static shape, which JAX needs


def loss_and_gradients(model, recompute: bool, dtype: str, rate: float) -> tuple[float, list[np.ndarray]]:
    """Of some function of the pooled output, compiled as an engine does."""
    batch = random_batch()

    def loss_of() -> object:
        encoder = model.view(dtype, recompute).backbone
        hidden = encode(encoder, batch, rate, Key.from_seed(3))
        return ops.sum(ops.cast(pool(encoder, batch, hidden, "pooler"), "float32") ** 2)

    variables = model.backbone.trainable_variables
    if keras.backend.backend() == "jax":
        import jax

        def loss_at(values: list) -> object:
            with keras.StatelessScope(state_mapping=list(zip(variables, values, strict=True))):
                return loss_of()

        loss, gradients = jax.jit(jax.value_and_grad(loss_at))([v.value for v in variables])
        return float(loss), [np.array(g) for g in gradients]
    import tensorflow as tf

    @tf.function(autograph=False)
    def step() -> tuple:
        with tf.GradientTape() as tape:
            loss = loss_of()
        return loss, [tf.convert_to_tensor(g) for g in tape.gradient(loss, [v.value for v in variables])]

    loss, gradients = step()
    return float(loss), [np.array(g) for g in gradients]


@pytest.mark.parametrize("rate", [0.0, 0.3])
def test_loss_and_gradients_are_the_same_with_the_activations_computed_again(rate):
    model = tiny_model(layers=2)
    loss, gradients = loss_and_gradients(model, False, "float32", rate)
    again, regained = loss_and_gradients(model, True, "float32", rate)
    assert again == pytest.approx(loss, rel=1e-6)
    for variable, one, other in zip(model.backbone.trainable_variables, gradients, regained, strict=True):
        if not variable.path.endswith("key/bias"):  # its true gradient is 0
            assert np.abs(one).max() > 1e-5, variable.path
        np.testing.assert_allclose(other, one, atol=1e-6 * max(1.0, np.abs(one).max()), err_msg=variable.path)


def test_bfloat16_is_computed_again_too():
    model = tiny_model()
    loss, _ = loss_and_gradients(model, False, "bfloat16", 0.0)
    again, gradients = loss_and_gradients(model, True, "bfloat16", 0.0)
    assert again == pytest.approx(loss, rel=1e-2)
    assert all(np.isfinite(g).all() for g in gradients)


@pytest.mark.skipif(keras.backend.backend() == "jax", reason="is running now")
def test_the_same_holds_with_jax():
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", __file__, "-k", "same and 0.3"]
    environment = {**os.environ, "KERAS_BACKEND": "jax"}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, cwd=Path(__file__).resolve().parents[2]
    )
    assert done.returncode == 0, done.stdout
