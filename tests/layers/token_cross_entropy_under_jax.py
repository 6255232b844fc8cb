"""What `test_token_cross_entropy.py` runs under JAX: python -m tests.layers.token_cross_entropy_under_jax EXPECTED.npz."""

import sys

import jax
import jax.numpy as jnp
import keras
import numpy as np

from keras_ft.layers import token_cross_entropy as module
from tests.layers.test_token_cross_entropy import AT_ONCE, LABELS, WEIGHTS, arrays

assert keras.backend.backend() == "jax"


def main(path: str) -> None:
    expected = np.load(path)
    hidden, embedding = map(jnp.asarray, arrays())
    for module.LOGITS_AT_ONCE in AT_ONCE.values():
        for training in (False, True):

            def total(hidden, embedding, weights, training=training):
                losses = module.token_cross_entropy(hidden, embedding, jnp.asarray(LABELS), training)
                return jnp.sum(losses * weights), losses

            run = jax.jit(jax.grad(total, argnums=(0, 1), has_aux=True))
            for name, weights in WEIGHTS.items():
                (of_hidden, of_embedding), losses = run(hidden, embedding, weights)
                parts = {"losses": losses, "hidden": of_hidden, "embedding": of_embedding}
                for part, values in parts.items():
                    np.testing.assert_allclose(values, expected[f"{name}_{part}"], rtol=1e-5, atol=1e-5)


if __name__ == "__main__":
    main(sys.argv[1])
