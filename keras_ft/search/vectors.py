"""Texts → vectors of length 1, by the same graph that answers requests."""

import numpy as np
import tensorflow as tf

from keras_ft.errors import RequestError
from keras_ft.evaluation.predictor import Predictor
from keras_ft.paths import AnyPath
from keras_ft.tasks.embedding import Embedding
from keras_ft.tasks.model import TrainedModel

TEXTS_AT_ONCE = 64


class TextVectors:
    """The vectors of a trained model, compiled once.

    Args:
        trained: from `load_model`.
        run: its folder, for messages.
        dtype: compute type.

    Raises:
        RequestError: the model gives no vectors.
    """

    def __init__(self, trained: TrainedModel, run: AnyPath, dtype: str = "float32"):
        if not isinstance(trained.task, Embedding):
            raise RequestError(
                f"{run} is a {trained.task.name} run; an index needs an embedding run, which has vectors"
            )
        self.dim: int = trained.pretrained.backbone.hidden_dim
        self._predictor = Predictor(trained, dtype)
        self._tokenize = trained.pretrained.tokenizer.tokenize

    def __call__(self, texts: list[str]) -> np.ndarray:
        """`(texts, hidden)` float32; texts of like length are computed together."""
        found = np.empty((len(texts), self.dim), np.float32)
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        for start in range(0, len(order), TEXTS_AT_ONCE):
            chosen = order[start : start + TEXTS_AT_ONCE]
            found[chosen] = self.answer([texts[i] for i in chosen])["embedding"]
        return found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-12)

    def answer(self, texts: list[str]) -> dict[str, np.ndarray]:
        """What the model answers to a few texts."""
        return self._predictor({"text": texts})

    def are_empty(self, texts: list[str]) -> np.ndarray:
        """Which texts have no token, `(texts,)` bool."""
        return self._tokenize(tf.constant(texts)).row_lengths().numpy() == 0
