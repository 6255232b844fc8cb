"""Room for more tokens in a backbone."""

from typing import Any

import numpy as np

from keras_ft.presets.family import Family, new_backbone

NOISE = 0.1  # of the old rows' standard deviation: enough to tell the new tokens apart


def resized(backbone: Any, family: Family, old_size: int, new_size: int, seed: int) -> Any:
    """A backbone whose token embedding holds new tokens behind the old ones; all else is copied.

    A new row is the mean of the old ones, with some noise. A language model so begins with the new tokens about as
    probable as an average one, and the probabilities of the old ones change little (Hewitt 2021, "Initializing New
    Word Embeddings for Pretrained Language Models").

    Args:
        backbone: of keras-hub; its table may have more rows than there are tokens, and keeps them if they suffice.
        family: of the backbone.
        old_size: how many tokens there were.
        new_size: how many there are.
        seed: of the noise.
    """
    sizes = {key: getattr(backbone, key) for key in family.keys}
    wider = new_backbone(family, sizes | {family.vocabulary_key: max(sizes[family.vocabulary_key], new_size)})
    for new, old in zip(wider.weights, backbone.weights, strict=True):
        if new.path == wider.token_embedding.embeddings.path:
            new.assign(_with_new_rows(np.array(old), old_size, new_size, seed))
        else:
            new.assign(old)
    return wider


def _with_new_rows(table: np.ndarray, old_size: int, new_size: int, seed: int) -> np.ndarray:
    old, unused = table[:old_size], table[new_size:]  # (old_size, hidden), (rows beyond all tokens, hidden)
    noise = np.random.default_rng(seed).normal(size=(new_size - old_size, table.shape[1]))
    new = old.mean(axis=0) + NOISE * old.std(axis=0) * noise
    return np.concatenate([old, new.astype(table.dtype), unused])
