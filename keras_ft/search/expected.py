"""What `search` of an export should answer, by brute force in numpy."""

from typing import Any

import numpy as np

from keras_ft.search.index import DEFAULT_K, NO_SCORE, SearchIndex
from keras_ft.search.vectors import TextVectors

Lists = dict[str, list]


def expected_search(vectors_of: TextVectors, index: SearchIndex, texts: list[str]) -> tuple[Lists, Lists]:
    """Queries, the last of which wants nothing, and the answers to them.

    Args:
        vectors_of: of the model.
        index: what is searched.
        texts: the queries.
    """
    k = [-1] * (len(texts) - 1) + [0]
    vectors = np.concatenate([index.nearest.head.numpy(), index.nearest.rest.numpy()], axis=1)
    found = vectors_of.answer(texts)
    scores = vectors_of(texts) @ index.nearest.axes.numpy() @ vectors.T  # (queries, items)
    width = min(DEFAULT_K, len(vectors))
    best = np.argsort(-scores, axis=1, kind="stable")[:, :width]
    nothing = vectors_of.are_empty(texts) | (np.array(k) == 0)
    ids, items = (np.array([name.decode() for name in of.numpy()], object) for of in (index.ids, index.texts))

    def answer(values: np.ndarray, filler: Any) -> list:
        return np.where(nothing[:, None], filler, values).tolist()

    answers = {
        "ids": answer(ids[best], ""),
        "texts": answer(items[best], ""),
        "scores": answer(np.take_along_axis(scores, best, axis=1), NO_SCORE),
        "truncated": found["truncated"].tolist(),
    }
    return {"text": texts, "k": k}, answers
