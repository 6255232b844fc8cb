"""Labels that are numbers: all the same, far from the others, beyond what is learned."""

from collections.abc import Iterator

import numpy as np

from keras_ft.inspection.checks.registry import check
from keras_ft.inspection.finding import PLACES, Finding, Place, counted
from keras_ft.inspection.split_survey import SplitSurvey
from keras_ft.inspection.survey import Survey

FAR = 3.0  # interquartile ranges beyond the quartiles: "far out" (Tukey 1977, Exploratory Data Analysis, ch. 2)


@check("regression")
def one_number(survey: Survey) -> Iterator[Finding]:
    """Nothing to learn."""
    values = _values(survey, survey.train)
    if len(values) and np.ptp(values) == 0:
        what = f"all rows have the label {values[0]:g}"
        advice = "at least two different numbers are needed; is data.columns.label the right column?"
        yield Finding("one_label", "problem", "train", len(values), what, advice)


@check("regression")
def far_numbers(survey: Survey) -> Iterator[Finding]:
    """Labels far from all others, as misplaced decimal points make them, which a squared error runs after."""
    values = _values(survey, survey.train)
    if not len(values):
        return
    low, high = np.quantile(values, [0.25, 0.75])
    for name, split in survey.splits.items():
        values = _values(survey, split)
        far = (values < low - FAR * (high - low)) | (values > high + FAR * (high - low))
        if high > low and far.any():
            what = f"{counted(int(far.sum()), 'row')} with a label far from the others (half are {low:g} to {high:g})"
            advice = "look whether they are right: a squared error is ruled by them"
            yield Finding("far_label", "warning", name, int(far.sum()), what, advice, _places(split, values, far))


@check("regression")
def beyond_numbers(survey: Survey) -> Iterator[Finding]:
    """Labels of validation and test outside of what train has."""
    learned = _values(survey, survey.train)
    for name, split in survey.splits.items():
        values = _values(survey, split)
        if name == "train" or not len(learned) or not len(values):
            continue
        outside = (values < learned.min()) | (values > learned.max())
        if outside.any():
            what = f"{counted(int(outside.sum()), 'row')} with a label outside of train's, {learned.min():g} to"
            what += f" {learned.max():g}"
            advice = "add such examples to train: a model seldom answers beyond what it saw"
            places = _places(split, values, outside)
            yield Finding("beyond_labels", "note", name, int(outside.sum()), what, advice, places)


def _values(survey: Survey, split: SplitSurvey) -> np.ndarray:
    """The label of each row, `(rows,)` float64."""
    return survey.answers.values[split.rows.answer]


def _places(split: SplitSurvey, values: np.ndarray, rows: np.ndarray) -> list[Place]:
    return [Place(split.rows.where(i), f"{values[i]:g}") for i in np.flatnonzero(rows)[:PLACES]]
