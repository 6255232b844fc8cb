"""What drift is measured against: `model/reference.json` of a run, and its copy in an export.

Training writes it, since validation's texts may be gone when the run is exported.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from keras_ft.data.arrays import TokenArrays
from keras_ft.errors import RequestError
from keras_ft.evaluation.origin import Origin
from keras_ft.serving.monitoring.answer_values import SHARE_GRAIN, answer_values, score_grain
from keras_ft.serving.monitoring.reference import REFERENCE_FILE, Bins, Reference
from keras_ft.serving.monitoring.text_values import TextCounter, characters_of, unknown_shares
from keras_ft.tasks.base import Task
from keras_ft.text.load import Tokenizer

FILE = REFERENCE_FILE.name
MOST_TEXTS = 5000  # of validation, evenly spread


class SeenAnswers:
    """Gathers what is watched of a split's answers.

    Args:
        task: its name.
    """

    def __init__(self, task: str):
        self.task = task
        self.examples = 0
        self._labels: list[str] = []
        self._scores: list[np.ndarray] = []

    def add(self, answers: dict[str, np.ndarray]) -> None:
        """Add a batch of answers."""
        self.examples += len(next(iter(answers.values()), ()))
        values = answer_values(self.task, answers)
        self._labels += values.get("label", [])
        self._scores.append(np.asarray(values.get("score", ()), np.float64))

    def bins(self) -> dict[str, Bins]:
        """`label` and `score`, as far as there are any."""
        scores = np.concatenate(self._scores) if self._scores else np.zeros(0)
        found = {"label": Bins.of_names(self._labels)} if self._labels else {}
        return found | ({"score": Bins.of_numbers(scores, score_grain(self.task))} if len(scores) else {})


def write_reference(model: Path, task: Task, origin: Origin, seen: SeenAnswers, tell: Callable[[str], None]) -> None:
    """Write `reference.json` of a run; of a model that learns from blocks of text there is none.

    Args:
        model: the run's `model/`.
        task: of the run.
        origin: of validation.
        seen: its answers.
        tell: is given a line if the texts can no longer be read; the reference then holds nothing of them.
    """
    if not isinstance(origin.arrays, TokenArrays):
        return
    count = origin.arrays.num_examples
    rows = (np.arange(min(MOST_TEXTS, count)) * count // max(1, min(MOST_TEXTS, count))).tolist()
    bins = seen.bins()
    try:
        requests = task.requests(origin.rows(task, rows))
        if rows and origin.tokenizer is not None:
            bins |= text_bins(requests, origin.tokenizer)
    except (RequestError, OSError, IndexError) as error:
        tell(f"The reference for drift knows no texts: {error}")
    Reference(task.name, tuple(task.text_columns), count, bins).write(model / FILE)


def text_bins(requests: dict[str, list], tokenizer: Tokenizer) -> dict[str, Bins]:
    """`characters` of requests by text column, and `unknown_tokens` where the vocabulary does not know everything."""
    rows = [_row(values) for values in zip(*requests.values(), strict=True)]
    counter = TextCounter(tokenizer)
    found = {"characters": Bins.of_numbers(np.array([characters_of(row) for row in rows]), grain=1)}
    if counter.knows_unknown:
        found["unknown_tokens"] = Bins.of_numbers(unknown_shares(*counter(rows)), SHARE_GRAIN)
    return found


def copy_reference(model: Path, version: Path, top_k: int | None) -> None:
    """Put a run's reference into an export; a run of an older keras_ft has none, and its exports know no drift.

    Args:
        model: the run's `model/`.
        version: the SavedModel's folder, with `assets.extra/`.
        top_k: where it is set, labels of texts with several may be cut off, and are not compared.

    Raises:
        RequestError: the file is damaged.
    """
    reference = _read(model)
    if reference is None:
        return
    if top_k is not None and reference.task == "multilabel":
        reference = replace(reference, of={name: bins for name, bins in reference.of.items() if name != "label"})
    reference.write(version / REFERENCE_FILE)


def copy_text_reference(model: Path, version: Path, task: str) -> None:
    """Put what a run's reference knows of texts into an export that answers the same texts with something else.

    Args:
        model: the run's `model/`.
        version: the SavedModel's folder, with `assets.extra/`.
        task: the name of what the export answers.

    Raises:
        RequestError: the file is damaged.
    """
    reference = _read(model)
    if reference is not None and "characters" in reference.of:
        replace(reference, task=task, of={"characters": reference.of["characters"]}).write(version / REFERENCE_FILE)


def _read(model: Path) -> Reference | None:
    try:
        return Reference.read(model / FILE)
    except ValueError:
        raise RequestError(f"{model / FILE} is damaged; delete it, and the export knows no drift") from None


def _row(values: tuple[Any, ...]) -> list[bytes]:
    """The texts of a row, of columns of lists too."""
    texts = [text for value in values for text in (value if isinstance(value, list) else [value])]
    return [(text or "").encode("utf-8", "replace") for text in texts]
