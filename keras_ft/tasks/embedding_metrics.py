"""How good vectors are: by scores that people gave, by finding partners, or by how they are spread."""

import numpy as np

from keras_ft.errors import RequestError
from keras_ft.tasks.embedding_options import Measure
from keras_ft.tasks.regression_metrics import correlations

AT_ONCE = 1 << 24  # cosines
SPREAD_OVER = 2000  # texts that each one is held against for uniformity
Columns = dict[str, np.ndarray]

NAMES: dict[Measure, tuple[str, ...]] = {
    "similarity": ("spearman", "pearson"),
    "retrieval": ("recall_at_1", "recall_at_10", "mrr"),
    "uniformity": ("uniformity",),
}
KEPT: dict[Measure, tuple[str, ...]] = {
    "similarity": ("similarity", "label"),
    "retrieval": ("embedding", "positive", "text_key", "similarity", "negative_similarity"),
    "uniformity": ("embedding",),
}
"""What is gathered of all examples, as far as it is there."""


class EmbeddingMetrics:
    """Spearman and Pearson of cosines with labels; recall and mean reciprocal rank of partners; or uniformity.

    Args:
        measure: which of them.
        triplets: whether `triplet_accuracy` is wanted too.
    """

    def __init__(self, measure: Measure, triplets: bool):
        self.measure = measure
        self.names = NAMES[measure] + (("triplet_accuracy",) if triplets else ())
        self._batches: list[Columns] = []

    def update(self, answers: Columns, targets: Columns) -> None:
        """Add a batch: what was kept of the outputs, and targets."""
        found = {**targets, **answers}
        self._batches.append({name: found[name] for name in KEPT[self.measure] if name in found})

    def result(self) -> dict[str, float]:
        """The value of each of `names`."""
        columns = {name: np.concatenate([batch[name] for batch in self._batches]) for name in self._batches[0]}
        if self.measure == "similarity":
            return correlations(*(values.astype(np.float64) for values in (labels_of(columns), columns["similarity"])))
        if self.measure == "uniformity":
            return {"uniformity": float(np.log(max(np.mean(crowding(columns["embedding"])), 1e-9)))}
        found = rank_metrics(ranks(columns))
        if "triplet_accuracy" in self.names:
            found["triplet_accuracy"] = float(np.mean(columns["similarity"] > columns["negative_similarity"]))
        return found


def labels_of(columns: Columns) -> np.ndarray:
    """The labels, `(examples,)`.

    Raises:
        RequestError: some examples have none.
    """
    label = columns["label"]
    if np.isnan(label).any():
        raise RequestError(
            "task embedding: similarity is measured on rows with text_a, text_b and label, which validation or test"
            " lacks; give a file of such rows, or task.measure: uniformity"
        )
    return label


def rank_metrics(rank: np.ndarray) -> dict[str, float]:
    """`recall_at_1`, `recall_at_10` and `mrr` of ranks that count from 1."""
    return {
        "recall_at_1": float(np.mean(rank <= 1)),
        "recall_at_10": float(np.mean(rank <= 10)),
        "mrr": float(np.mean(1.0 / rank)),
    }


def ranks(columns: Columns) -> np.ndarray:
    """The place of each `text_a`'s partner among all different `text_b`, `(examples,)` int32 from 1.

    A text that occurs several times as `text_b` stands once. Other partners of the same `text_a` are no competitors,
    and of those that are as near as the partner each counts before it.

    Args:
        columns: `embedding`, `positive` `(examples, hidden)` and `text_key` `(examples, places, 2)`.
    """
    keys = columns["text_key"].astype(np.int64) @ np.array([1 << 32, 1])  # (examples, places)
    _, first, candidate = np.unique(keys[:, 1], return_index=True, return_inverse=True)
    anchors, vectors = _unit(columns["embedding"]), _unit(columns["positive"][first])
    _, group = np.unique(keys[:, 0], return_inverse=True)
    order = np.argsort(group, kind="stable")
    starts = np.searchsorted(group[order], np.arange(int(group.max()) + 2))
    found = np.empty(len(keys), np.int32)
    step = max(1, AT_ONCE // len(vectors))
    for start in range(0, len(keys), step):
        chunk = np.arange(start, min(start + step, len(keys)))
        cosines = anchors[chunk] @ vectors.T  # (chunk, candidates)
        own = cosines[np.arange(len(chunk)), candidate[chunk]]
        nearer = cosines >= own[:, None]
        for row, number in enumerate(group[chunk]):
            nearer[row, candidate[order[starts[number] : starts[number + 1]]]] = False
        found[chunk] = 1 + nearer.sum(axis=1)
    return found


def crowding(embedding: np.ndarray) -> np.ndarray:
    """The mean of exp(−2 d²) over distances d to other texts, `(examples,)`; the logarithm of its mean is uniformity.

    Wang & Isola 2020, arXiv:2005.10242, section 4.2; over at most 2,000 texts, evenly spread.
    """
    vectors = _unit(embedding)
    count = len(vectors)
    others = np.arange(min(count, SPREAD_OVER)) * count // min(count, SPREAD_OVER)
    total = np.empty(count, np.float64)
    step = max(1, AT_ONCE // len(others))
    for start in range(0, count, step):
        total[start : start + step] = np.exp(4.0 * (vectors[start : start + step] @ vectors[others].T - 1.0)).sum(
            axis=1
        )
    itself = np.isin(np.arange(count), others)
    return (total - itself) / np.maximum(len(others) - itself, 1)


def _unit(vectors: np.ndarray) -> np.ndarray:
    vectors = vectors.astype(np.float32)
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
