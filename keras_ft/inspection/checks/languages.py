"""Texts in a script or a language that the rest of the data is not in."""

from collections.abc import Iterator

import numpy as np

from keras_ft.inspection.characters import script_names
from keras_ft.inspection.checks.registry import check
from keras_ft.inspection.finding import PLACES, Finding, Place, counted, excerpt
from keras_ft.inspection.survey import Survey

FOREIGN = 0.02  # share of train's texts below which a script is foreign to them
FEWEST_LETTERS = 2
FEWEST_LATIN = 12  # names and abbreviations in Latin letters are at home everywhere


@check()
def foreign_scripts(survey: Survey) -> Iterator[Finding]:
    """Texts without a letter of the scripts that train is written in."""
    scripts = survey.train.rows.script
    counts = np.bincount(scripts, minlength=len(script_names()))
    common = (counts >= FOREIGN * counts[1:].sum()) & (counts > 0)
    common[0] = True
    if not common[1:].any():
        return
    fewest = np.full(len(counts), FEWEST_LETTERS)
    fewest[script_names().index("Latin")] = FEWEST_LATIN
    usual = [script_names()[i] for i in np.flatnonzero(common) if i]
    for name, split in survey.splits.items():
        rows = split.rows
        foreign = (
            ~common[rows.script] & ((rows.second == 0) | ~common[rows.second]) & (rows.letters >= fewest[rows.script])
        )
        count = int(foreign.sum())
        if count:
            places = [Place(rows.where(i), script_names()[rows.script[i]]) for i in np.flatnonzero(foreign)[:PLACES]]
            what = f"{counted(count, 'text')} in another script than {' and '.join(usual)}"
            advice = "look whether they belong to your data"
            yield Finding("foreign_script", "note", name, count, what, advice, places)


@check()
def foreign_languages(survey: Survey) -> Iterator[Finding]:
    """Texts of a sample in a language that the others are not in, and splits in different languages."""
    main = survey.languages["train"].main
    for name, split in survey.splits.items():
        found = survey.languages[name]
        if found.strangers:
            places = [
                Place(split.rows.where(i), f"{language}: {excerpt(text)}")
                for i, language, text in found.strangers[:PLACES]
            ]
            what = f"{counted(len(found.strangers), 'text')} in another language, of {found.looked_at:,} looked at"
            advice = "look whether they belong to your data"
            yield Finding("foreign_language", "note", name, len(found.strangers), what, advice, places)
        if main and found.main and found.main != main:
            what = f"most texts are in '{found.main}', those of train in '{main}'"
            yield Finding("other_language", "warning", name, len(split), what, "train on the language you test on")
