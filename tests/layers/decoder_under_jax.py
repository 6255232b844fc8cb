"""What `test_decoder.py` runs under JAX: python -m tests.layers.decoder_under_jax EXPECTED.npz."""

import sys

import jax
import jax.numpy as jnp
import keras
import numpy as np

from keras_ft.layers.arithmetic import GPT2_ARITHMETIC
from keras_ft.layers.decoder import decode
from keras_ft.layers.gpt2_view import gpt2_view
from keras_ft.layers.random import Key
from tests.layers.decoder_batches import ROWS, make_backbone, rows

assert keras.backend.backend() == "jax"


def in_order(states):
    return jnp.concatenate([states[start : start + length] for start, length in ROWS])


def states(backbone, values, recompute: bool):
    with keras.StatelessScope(state_mapping=list(zip(backbone.trainable_variables, values, strict=True))):
        view = gpt2_view(backbone, GPT2_ARITHMETIC, recompute=recompute)
        return in_order(decode(view, rows(), 0.0, Key.from_seed(0)))


def main(path: str) -> None:
    expected, backbone = np.load(path), make_backbone()
    values = [variable.value for variable in backbone.trainable_variables]
    for recompute in (False, True):

        def loss(values, recompute=recompute):
            computed = states(backbone, values, recompute)
            return jnp.sum(computed * expected["slope"]), computed

        gradients, computed = jax.jit(jax.grad(loss, has_aux=True))(values)
        np.testing.assert_allclose(computed, expected["states"], atol=1e-5)
        for number, gradient in enumerate(gradients):
            theirs = expected[f"gradient_{number}"]
            np.testing.assert_allclose(gradient, theirs, atol=2e-5 * max(1.0, np.abs(theirs).max()))


if __name__ == "__main__":
    main(sys.argv[1])
