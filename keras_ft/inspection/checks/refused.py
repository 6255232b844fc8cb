"""Rows and files that training would refuse."""

from collections.abc import Iterator

from keras_ft.inspection.checks.registry import check
from keras_ft.inspection.finding import Finding, counted
from keras_ft.inspection.survey import Survey


@check()
def refused_rows(survey: Survey) -> Iterator[Finding]:
    """A finding for each reason, and one for each file that broke off."""
    for name, split in survey.splits.items():
        for message in split.unreadable:
            problem, _, advice = message.partition("; ")
            yield Finding("unreadable", "problem", name, 1, problem, advice or "mend the file")
        for reason, tally in sorted(split.refused.reasons.items(), key=lambda item: -item[1].count):
            what = f"{counted(tally.count, 'row')} would be refused: {reason}"
            advice = split.refused.advice[reason] or "mend or delete the row"
            yield Finding("refused", "problem", name, tally.count, what, advice, tally.places)
