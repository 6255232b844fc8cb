"""Rows for `embedding`: two texts and a score, two texts, three, or one."""

import hashlib
from typing import Any

import numpy as np

from keras_ft.data.number_labels import label_number
from keras_ft.data.rows import Rows
from keras_ft.errors import RequestError
from keras_ft.tasks.embedding_options import COLUMNS, Kind

PLACES = ("text_a", "text_b", "text_c")
TEXTS = ("text", *PLACES)
ADVICE = "; a row has text, or text_a and text_b, and with them label or text_c"


def checked_row(values: dict[str, Any], where: str) -> dict[str, Any]:
    """The columns of a row, its label a number.

    Args:
        values: by the names in `TEXTS` and `label`; None where empty.
        where: file and line.

    Raises:
        RequestError: they do not go together, or the label is no finite number.
    """
    there = {name for name, value in values.items() if value is not None}
    wrong = None
    if "text" in there and there & {*PLACES, "label"}:
        wrong = f"has 'text' and '{min(there - {'text'})}'"
    elif not there & {"text", "text_a"}:
        wrong = "has neither 'text' nor 'text_a'"
    elif "text_b" not in there and there & {"text_c", "label"}:
        wrong = f"has '{min(there & {'text_c', 'label'})}' but no 'text_b'"
    elif {"text_c", "label"} <= there:
        wrong = "has 'text_c' and 'label'"
    if wrong:
        raise RequestError(f"{where} {wrong}{ADVICE}")
    return values if values.get("label") is None else {**values, "label": label_number(values["label"], where)}


def kind_of(rows: Rows, i: int) -> Kind:
    """What a row is."""

    def has(name: str) -> bool:
        return name in rows.columns and rows.columns[name][i] is not None

    if has("label"):
        return "scored"
    return "triplets" if has("text_c") else "pairs" if has("text_b") else "texts"


def check_kinds(rows: Rows, allowed: tuple[Kind, ...], because: str) -> None:
    """Refuse rows of other kinds.

    Args:
        rows: of any split.
        allowed: kinds.
        because: where the wish comes from, for the message.

    Raises:
        RequestError: a row is of another one.
    """
    for i in range(len(rows)):
        kind = kind_of(rows, i)
        if kind not in allowed:
            wanted = " or ".join(COLUMNS[other] for other in allowed)
            raise RequestError(f"{rows.where(i)} has {COLUMNS[kind]}; {because}, so it should have {wanted}")


def texts_of(rows: Rows, i: int) -> list[str]:
    """The texts of a row in their order; "" for those that it has not."""
    text, *others = (rows.columns[name][i] or "" if name in rows.columns else "" for name in TEXTS)
    return [text or others[0], *others[1:]]


def text_keys(rows: Rows, twice: bool) -> np.ndarray:
    """A 64-bit hash of each text as two int32, `(rows, places, 2)`; zeros where there is no text.

    Args:
        rows: any.
        twice: whether a text alone is its own partner.
    """
    keys = np.zeros((len(rows), len(PLACES), 2), np.int32)
    for i in range(len(rows)):
        texts = texts_of(rows, i)
        if twice and not texts[1]:
            texts[1] = texts[0]
        for place, text in enumerate(texts):
            if text:
                keys[i, place] = np.frombuffer(hashlib.blake2b(text.encode(), digest_size=8).digest(), np.int32)
    return keys
