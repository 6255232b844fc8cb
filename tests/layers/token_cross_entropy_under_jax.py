"""What `test_token_cross_entropy.py` runs under JAX: python -m tests.layers.token_cross_entropy_under_jax EXPECTED.npz."""

import itertools
import sys

import jax
import jax.numpy as jnp
import keras
import numpy as np

from keras_ft.layers import token_cross_entropy as module
from tests.layers.test_token_cross_entropy import AT_ONCE, LABELS, TOLERANCES, WEIGHTS, arrays

assert keras.backend.backend() == "jax"
OF_DTYPES = {"bfloat16": 0.03, "float16": 0.004}  # of the largest value


def main(path: str) -> None:
    expected = np.load(path)
    in_float32(expected)
    for (dtype, tolerance), scale in itertools.product(OF_DTYPES.items(), TOLERANCES):
        in_small(dtype, tolerance, scale, expected)


def in_small(dtype: str, tolerance: float, scale: float, expected: dict[str, np.ndarray]) -> None:
    module.LOGITS_AT_ONCE = AT_ONCE["all"]

    def total(hidden, embedding):
        losses = module.token_cross_entropy(hidden.astype(dtype), embedding, jnp.asarray(LABELS), training=True)
        return jnp.sum(losses), losses

    (of_hidden, of_embedding), losses = jax.jit(jax.grad(total, argnums=(0, 1), has_aux=True))(*arrays(scale))
    assert losses.dtype == of_embedding.dtype == "float32"
    for part, values in {"losses": losses, "hidden": of_hidden, "embedding": of_embedding}.items():
        theirs = expected[f"{scale}_alike_{part}"]
        np.testing.assert_allclose(values, theirs, rtol=0, atol=tolerance * np.abs(theirs).max())


def in_float32(expected: dict[str, np.ndarray]) -> None:
    for module.LOGITS_AT_ONCE in AT_ONCE.values():
        for training in (False, True):

            def total(hidden, embedding, weights, training=training):
                losses = module.token_cross_entropy(hidden, embedding, jnp.asarray(LABELS), training)
                return jnp.sum(losses * weights), losses

            run = jax.jit(jax.grad(total, argnums=(0, 1), has_aux=True))
            for (scale, tolerance), name in itertools.product(TOLERANCES.items(), WEIGHTS):
                (of_hidden, of_embedding), losses = run(*map(jnp.asarray, arrays(scale)), WEIGHTS[name])
                parts = {"losses": losses, "hidden": of_hidden, "embedding": of_embedding}
                for part, values in parts.items():
                    theirs = expected[f"{scale}_{name}_{part}"]
                    np.testing.assert_allclose(values, theirs, rtol=tolerance, atol=tolerance)


if __name__ == "__main__":
    main(sys.argv[1])
