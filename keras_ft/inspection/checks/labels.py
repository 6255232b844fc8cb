"""Labels: too few of them, spelled in two ways, unknown to the model, out of balance."""

import math
from collections import defaultdict
from collections.abc import Iterator
from difflib import get_close_matches

import numpy as np

from keras_ft.inspection.checks.registry import check
from keras_ft.inspection.finding import Finding, Place, counted
from keras_ft.inspection.normal_text import normalize
from keras_ft.inspection.split_survey import SplitSurvey
from keras_ft.inspection.survey import Survey

LABELLED = ("classification", "pair", "relation")  # tasks with one label a row
LABELLING = (*LABELLED, "multilabel")  # tasks whose answers are labels
NAMING = (*LABELLING, "tagging")  # tasks whose answers have labels
FREQUENT = 20  # times as often as a misspelling of it
RARE = 5  # rows at most of what may be a misspelling
LONG_ENOUGH = 4  # letters of a label in which one wrong letter shows
SIMILAR = 0.85  # difflib's ratio
MOST_COMPARED = 1000  # labels; each rare one is compared to all frequent ones
FEW = 10  # examples that a label needs at least to be learned
IMBALANCE = 10.0
ROW_OF_ITS_OWN, FEW_ROWS_A_LABEL = 0.9, 0.5  # distinct labels a row
ENOUGH_ROWS = 20


@check(*LABELLED)
def one_label(survey: Survey) -> Iterator[Finding]:
    """Nothing to tell apart."""
    present = np.flatnonzero(survey.label_counts["train"])
    if len(survey.train) and len(present) == 1:
        what = f"all rows have the label '{survey.label_names[present[0]]}'"
        advice = "at least two different labels are needed; is data.columns.label the right column?"
        yield Finding("one_label", "problem", "train", len(survey.train), what, advice)


@check(*LABELLING)
def label_of_each_row(survey: Survey) -> Iterator[Finding]:
    """A column of free text or of numbers taken for labels."""
    distinct, rows = int(np.count_nonzero(survey.label_counts["train"])), len(survey.train)
    if rows < ENOUGH_ROWS or distinct <= FEW_ROWS_A_LABEL * rows:
        return
    what = f"{counted(distinct, 'label')} in {counted(rows, 'row')}"
    advice = f"is data.columns.{survey.kind.target_columns[0]} the right column?"
    if distinct > ROW_OF_ITS_OWN * rows:
        own = "each row" if distinct == rows else "nearly each row"
        yield Finding("label_of_each_row", "problem", "train", distinct, f"{what}: {own} has its own", advice)
    else:
        what = f"{what}: fewer than two rows a label on average"
        advice += f" if so, add examples: a label needs about {FEW} to be learned"
        yield Finding("label_of_each_row", "warning", "train", distinct, what, advice)


@check(*NAMING)
def unknown_labels(survey: Survey) -> Iterator[Finding]:
    """Labels of validation and test that the model never learns."""
    known = survey.label_counts["train"] > 0
    names = [name for name, is_known in zip(survey.label_names, known, strict=True) if is_known]
    for split in _others(survey):
        if not len(survey.train) or not len(split):
            continue
        unknown = ~known & (survey.label_counts[split.name] > 0)
        if not unknown.any():
            continue
        rows = survey.rows_with(split, np.flatnonzero(unknown))
        labels = _names(survey, np.flatnonzero(unknown))
        near = get_close_matches(labels[0], names, n=1)
        what = f"{counted(int(rows.sum()), 'row')} with labels that train does not have: {_listed(labels)}"
        advice = f"did you mean '{near[0]}'?" if near else "add examples of them to train, or delete these rows"
        yield Finding(
            "unknown_label", "problem", split.name, int(rows.sum()), what, advice, _places(survey, split, rows)
        )


@check(*NAMING)
def absent_labels(survey: Survey) -> Iterator[Finding]:
    """Labels of train that no other split measures."""
    learned = survey.label_counts["train"] >= FEW
    for split in _others(survey):
        absent = np.flatnonzero(learned & (survey.label_counts[split.name] == 0))
        if len(split) and len(absent):
            what = f"{counted(len(absent), 'label')} of train without a row: {_listed(_names(survey, absent))}"
            yield Finding("absent_label", "note", split.name, len(absent), what, "how well they do stays unknown")


@check(*NAMING)
def label_variants(survey: Survey) -> Iterator[Finding]:
    """Labels that differ only in case, width, spaces or punctuation."""
    yield from _misspelled(survey, "label_variant", "differ only in case, spaces or punctuation", _variants(survey))


@check(*NAMING)
def label_typos(survey: Survey) -> Iterator[Finding]:
    """Rare labels that are spelled almost like a frequent one."""
    yield from _misspelled(survey, "label_typo", "may be misspelled", _typos(survey))


@check(*NAMING)
def rare_labels(survey: Survey) -> Iterator[Finding]:
    """Labels with one example, or a few."""
    counts = survey.label_counts["train"].copy()
    counts[[*_variants(survey), *_typos(survey)]] = 0  # spelled right there are more of them
    once = np.flatnonzero(counts == 1)
    if len(once):
        rows = survey.rows_with(survey.train, once)
        what = f"{counted(len(once), 'label')} with one example only: {_listed(_names(survey, once))}"
        advice = "add examples, merge labels or delete these rows: one example can be learned or tested, not both"
        yield Finding(
            "single_example", "warning", "train", len(once), what, advice, _places(survey, survey.train, rows)
        )
    few = np.flatnonzero((counts > 1) & (counts < FEW))
    if len(few) and counts.max() > FREQUENT:  # in a data set that is tiny as a whole nobody needs telling
        what = f"{counted(len(few), 'label')} with fewer than {FEW} examples: {_listed(_names(survey, few))}"
        yield Finding("few_examples", "note", "train", len(few), what, "add examples, or merge labels")


@check(*LABELLING)
def imbalance(survey: Survey) -> Iterator[Finding]:
    """A label that is many times as frequent as another."""
    counts = survey.label_counts["train"]
    enough = np.flatnonzero(counts >= FEW)
    if len(enough) < 2 or counts[enough].max() < IMBALANCE * counts[enough].min():
        return
    most, least = enough[counts[enough].argmax()], enough[counts[enough].argmin()]
    what = (
        f"'{survey.label_names[most]}' has {counts[most]:,} rows, '{survey.label_names[least]}' {counts[least]:,}:"
        f" {counts[most] / counts[least]:.0f} times as many"
    )
    advice = "look at macro_f1 beside accuracy; class weights may help"
    yield Finding("imbalance", "note", "train", int(counts[most]), what, advice)


def _variants(survey: Survey) -> dict[int, int]:
    """Number of a label → that of the most frequent one that it differs from in spelling alone."""
    alike: defaultdict[str, list[int]] = defaultdict(list)
    for number, label in enumerate(survey.label_names):
        alike[normalize(label) or label].append(number)
    counts = survey.label_counts["train"]
    usual = {
        number: max((i for i in numbers if _may_mean(survey, number, i)), key=counts.__getitem__)
        for numbers in alike.values()
        for number in numbers
    }
    return {number: meant for number, meant in usual.items() if number != meant}


def _typos(survey: Survey) -> dict[int, int]:
    """Number of a rare label → that of the frequent one which is probably meant."""
    counts = survey.label_counts["train"]
    if np.count_nonzero(counts) > MOST_COMPARED:
        return {}
    typos: dict[int, int] = {}
    for rare in np.flatnonzero((counts > 0) & (counts <= RARE)):
        label = survey.label_names[rare]
        frequent = {survey.label_names[i]: int(i) for i in np.flatnonzero(counts >= FREQUENT * counts[rare])}
        near = get_close_matches(label, frequent, n=1, cutoff=SIMILAR) if len(label) >= LONG_ENOUGH else []
        if not near or normalize(near[0]) == normalize(label) or _digits(near[0]) != _digits(label):
            continue
        if _may_mean(survey, int(rare), frequent[near[0]]):
            typos[int(rare)] = frequent[near[0]]
    return typos


def _may_mean(survey: Survey, number: int, other: int) -> bool:
    """False for labels that are different numbers, such as -1 and 1."""
    values = _value(survey.label_names[number]), _value(survey.label_names[other])
    return None in values or values[0] == values[1]


def _value(label: str) -> float | None:
    try:
        value = float(label.replace("−", "-"))
    except ValueError:
        return None
    return None if math.isnan(value) else value


def _misspelled(survey: Survey, kind: str, how: str, meant: dict[int, int]) -> Iterator[Finding]:
    """For each split a finding about labels each of which stands for another."""
    for name, split in survey.splits.items():
        wrong = [number for number in meant if survey.label_counts[name][number]]
        if wrong:
            rows = survey.rows_with(split, np.array(wrong))
            pairs = [f"'{survey.label_names[number]}' ('{survey.label_names[meant[number]]}')" for number in wrong]
            some = ", ".join(pairs[:5]) + (f" and {len(pairs) - 5} more" if len(pairs) > 5 else "")
            what = f"{counted(int(rows.sum()), 'row')} with labels that {how}: {some}"
            advice = "write each label in one way; now they are classes of their own"
            places = _places(survey, split, rows)
            yield Finding(kind, "warning", name, int(rows.sum()), what, advice, places)


def _others(survey: Survey) -> list[SplitSurvey]:
    return [split for name, split in survey.splits.items() if name != "train"]


def _places(survey: Survey, split: SplitSurvey, rows: np.ndarray) -> list[Place]:
    numbers = split.rows.answer[rows]
    places = split.rows.places(rows)
    return [Place(place.where, f"'{survey.answers.text(i)}'") for place, i in zip(places, numbers, strict=False)]


def _names(survey: Survey, numbers: np.ndarray) -> list[str]:
    return [survey.label_names[i] for i in numbers]


def _listed(labels: list[str]) -> str:
    return ", ".join(f"'{label}'" for label in labels[:5]) + (f" and {len(labels) - 5} more" if len(labels) > 5 else "")


def _digits(label: str) -> list[str]:
    return [char for char in label if char.isdigit()]
