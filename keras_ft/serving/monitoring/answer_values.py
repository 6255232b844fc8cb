"""What is watched of a task's answers, as plain values: names of labels and numbers, on the host, without Keras.

Training makes the reference with these functions and the server counts with them, so the two mean the same.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

Outputs = Mapping[str, np.ndarray]
Values = dict[str, Any]
SHARE_GRAIN = 0.01


def answer_values(task: str, outputs: Outputs) -> Values:
    """`label` (a list of names) and `score` (an array) of answers, as far as the task has them.

    Arguments:
        task: its name.
        outputs: of a signature, `(rows, …)` by name; strings as bytes.
    """
    return VALUES[task](outputs) if task in VALUES else {}


def outputs_read(task: str) -> tuple[str, ...]:
    """The outputs that `answer_values` looks at."""
    return READ.get(task, ())


def score_grain(task: str) -> float | None:
    """The grain of the reference's edges of scores: of probabilities a hundredth, else of their range."""
    return None if task == "regression" else SHARE_GRAIN


def _best(outputs: Outputs) -> Values:
    """The label, "" where it is withheld, and its score."""
    return {"label": _names(outputs["label"]), "score": outputs["score"]}


def _predicted(outputs: Outputs) -> Values:
    """Every label that is given, "" for a text that has none, and the best score."""
    labels, given = np.asarray(outputs["labels"], object), np.asarray(outputs["predicted"], bool)  # (rows, ranks)
    none = int(np.sum(~given.any(axis=1)))
    return {"label": _names(labels[given]) + [""] * none, "score": np.asarray(outputs["scores"])[:, 0]}


def _number(outputs: Outputs) -> Values:
    return {"score": outputs["score"]}


def _entities(outputs: Outputs) -> Values:
    """How many entities a text has, as a name ("0", "1" …), and the score of each entity."""
    real = np.asarray(outputs["start"]) >= 0  # (rows, most entities)
    return {"label": [str(count) for count in real.sum(axis=1)], "score": np.asarray(outputs["score"])[real]}


def _answered(outputs: Outputs) -> Values:
    """Whether there is an answer, and the score of the best."""
    given = np.asarray(outputs["start"]) >= 0
    return {"label": ["answered" if it else "no answer" for it in given], "score": outputs["score"]}


def _names(labels: np.ndarray) -> list[str]:
    return [label.decode("utf-8", "replace") if isinstance(label, bytes) else str(label) for label in labels.tolist()]


VALUES: dict[str, Callable[[Outputs], Values]] = {
    "classification": _best,
    "pair": _best,
    "relation": _best,
    "multilabel": _predicted,
    "regression": _number,
    "tagging": _entities,
    "span_qa": _answered,
}
READ: dict[str, tuple[str, ...]] = {
    "classification": ("label", "score"),
    "pair": ("label", "score"),
    "relation": ("label", "score"),
    "multilabel": ("labels", "predicted", "scores"),
    "regression": ("score",),
    "tagging": ("start", "score"),
    "span_qa": ("start", "score"),
}
