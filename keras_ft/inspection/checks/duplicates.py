"""The same text twice in a split, with the same label or with another."""

from collections.abc import Iterator

import numpy as np

from keras_ft.inspection.checks.registry import check
from keras_ft.inspection.finding import PLACES, Finding, Place, Severity, counted, share
from keras_ft.inspection.row_index import RowIndex, first_alike
from keras_ft.inspection.survey import Survey

MANY = 0.01


@check()
def duplicates(survey: Survey) -> Iterator[Finding]:
    """Rows that repeat the text of an earlier one, to the letter or but for case, width, spaces and punctuation."""
    for name, split in survey.splits.items():
        exact = first_alike(split.rows.exact)
        normal = first_alike(split.rows.normal)
        rows = np.arange(len(split))
        for kind, first, repeats, how in (
            ("duplicate", exact, exact != rows, "with the text of an earlier row"),
            (
                "near_duplicate",
                normal,
                (normal != rows) & (exact == rows),
                "with the text of an earlier row but for case or punctuation",
            ),
        ):
            count = int(repeats.sum())
            if count:
                what = f"{counted(count, 'row')} ({share(count, len(split))}) {how}"
                advice = "delete them, unless your texts really come that often"
                severity: Severity = "warning" if count >= MANY * len(split) else "note"
                yield Finding(
                    kind, severity, name, count, what, advice, same_as(split.rows, repeats, split.rows, first)
                )


@check()
def conflicts(survey: Survey) -> Iterator[Finding]:
    """Texts that come with different labels."""
    for name, split in survey.splits.items():
        first = first_alike(split.rows.normal)
        other = split.rows.answer != split.rows.answer[first]
        count = len(np.unique(first[other]))
        if count:
            rows = int(np.isin(first, first[other]).sum())
            what = f"{counted(count, 'text')} with different labels, in {counted(rows, 'row')}"
            advice = "decide on one label for each: nobody can learn both"
            yield Finding("conflict", "warning", name, count, what, advice, _both(survey, split.rows, other, first))


def same_as(rows: RowIndex, wanted: np.ndarray, others: RowIndex, other: np.ndarray) -> list[Place]:
    """The first few rows of a mask, each with the row that it is like."""
    return [Place(rows.where(i), f"as {others.where(other[i])}") for i in np.flatnonzero(wanted)[:PLACES]]


def _both(survey: Survey, rows: RowIndex, wanted: np.ndarray, first: np.ndarray) -> list[Place]:
    text = survey.answers.text
    return [
        Place(rows.where(i), f"'{text(rows.answer[i])}', {rows.where(first[i])} '{text(rows.answer[first[i]])}'")
        for i in np.flatnonzero(wanted)[:PLACES]
    ]
