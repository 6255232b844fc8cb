"""Texts that are both learned and measured: the figures of such a split are too good."""

from collections.abc import Iterator
from itertools import combinations

import numpy as np

from keras_ft.inspection.checks.duplicates import same_as
from keras_ft.inspection.checks.registry import check
from keras_ft.inspection.finding import Finding, Severity, counted, share
from keras_ft.inspection.split_survey import SplitSurvey
from keras_ft.inspection.survey import Survey

TOO_MANY = 0.01


@check()
def overlap(survey: Survey) -> Iterator[Finding]:
    """Rows of validation and test whose text another split has too, exactly or but for case and punctuation."""
    for left, right in combinations(survey.splits.values(), 2):
        like = _row_alike(left, right)
        shared = like >= 0
        count = int(shared.sum())
        if not count:
            continue
        exact = int(np.isin(right.rows.exact, left.rows.exact).sum())
        other = int((right.rows.answer[shared] != left.rows.answer[like[shared]]).sum())
        what = (
            f"{counted(count, 'row')} ({share(count, len(right))}) with a text of {left.name},"
            f" {exact:,} of them to the letter" + (f", {other:,} with another label" if other else "")
        )
        advice = f"delete them from {left.name}: figures on {right.name} are too good with them"
        severity: Severity = "problem" if count >= TOO_MANY * len(right) else "warning"
        yield Finding(
            "overlap", severity, right.name, count, what, advice, same_as(right.rows, shared, left.rows, like)
        )


@check()
def leaking_fraction(survey: Survey) -> Iterator[Finding]:
    """Duplicates of train end up on both sides where validation is a fraction of it."""
    fraction = survey.recipe.data.validation
    if not isinstance(fraction, float) or not len(survey.train):
        return
    _, group, size = np.unique(survey.train.rows.normal, return_inverse=True, return_counts=True)
    # A row is held out with probability f, and some other one of its m - 1 likes is then trained on with 1 - f^(m-1).
    leaks = float(np.sum(1 - fraction ** (size[group] - 1.0)) * fraction)
    held_out = fraction * len(survey.train)
    if leaks >= 0.5:
        what = (
            f"about {counted(round(leaks), 'row')} ({share(leaks, held_out)}) will have a text that is trained on too:"
            f" data.validation is {fraction:g} of train and train has duplicates"
        )
        advice = "delete the duplicates, or give data.validation a file of its own"
        severity: Severity = "warning" if leaks >= TOO_MANY * held_out else "note"
        yield Finding("leaking_fraction", severity, "validation", round(leaks), what, advice)


def _row_alike(left: SplitSurvey, right: SplitSurvey) -> np.ndarray:
    """For each row of `right` a row of `left` with the same normalized text, `(rows,)`, or -1."""
    if not len(left) or not len(right):
        return np.full(len(right), -1)
    order = np.argsort(left.rows.normal, kind="stable")
    found = np.searchsorted(left.rows.normal, right.rows.normal, sorter=order)
    row = order[np.minimum(found, len(order) - 1)]
    return np.where(left.rows.normal[row] == right.rows.normal, row, -1)
