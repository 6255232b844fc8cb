"""The labels of a row that may have several, or none."""

import json
from collections import Counter
from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np

from keras_ft.data.labels import label_text
from keras_ft.errors import RequestError


def label_list(value: Any, separator: str, where: str) -> tuple[str, ...]:
    """The different labels of a row, by code point; none are an answer too.

    Args:
        value: a list of labels; or, as .csv and .tsv hold them, a string of labels between separators, or of JSON's
            list. White space round a label is no part of it there.
        separator: stands between labels in a string.
        where: file and line, for errors.

    Raises:
        RequestError: it is neither, or holds something that is no label.
    """
    if isinstance(value, str):
        value = _split(value, separator, where)
    elif not isinstance(value, list | tuple):
        shown = f"({str(value)[:40]}, a {type(value).__name__})"
        raise RequestError(f'{where}: the labels are no list {shown}; write ["joy", "love"], or [] for none')
    names = {label_text(item, where) for item in value}
    if "" in names:
        raise RequestError(f"{where}: a label is an empty string; leave it out, or write [] for none")
    return tuple(sorted(names))


def _split(text: str, separator: str, where: str) -> list[Any]:
    text = text.strip()
    if not text.startswith("["):
        return [part.strip() for part in text.split(separator) if part.strip()]
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, list):
        raise RequestError(f'{where}: the labels begin with [ but are no JSON ({text[:40]}); write ["joy", "love"]')
    return found


def groups_by_rarest_label(answers: Sequence[Hashable], counts: np.ndarray) -> np.ndarray:
    """Answers that are tuples of labels, by the label of theirs that fewest rows have: `(answers,)`, 0 without labels.

    Args:
        answers: all different ones.
        counts: `(answers,)` rows of each.
    """
    rows_of: Counter[str] = Counter()
    several = [labels for labels in answers if isinstance(labels, tuple)]
    for labels, count in zip(several, counts.tolist(), strict=True):
        rows_of.update(dict.fromkeys(labels, count))
    numbers = {label: number for number, label in enumerate(sorted(rows_of), start=1)}
    rarest = [min(labels, key=lambda label: (rows_of[label], label), default=None) for labels in several]
    return np.array([0 if label is None else numbers[label] for label in rarest])
