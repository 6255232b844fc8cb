"""Answers that hang on many decisions, of which rounding may tip one: they are compared where none was tipped."""

from typing import Any

Answers = dict[str, list]
SPANS = ("start", "end", "label")
TRIPLES = ("head_start", "head_end", "head_label", "tail_start", "tail_end", "tail_label", "label")
ANSWER = ("answer", "start", "end")


def without_tipped(expected: Answers, found: Answers, most: float) -> tuple[Answers, Answers]:
    """Both answers without the rows that were decided otherwise, as long as no larger share was; of other tasks all.

    Args:
        expected, found: nested lists by output name: of texts that were written, of entities, triples or an answer.
        most: the largest share of rows that may be left out.

    Returns:
        Rows to be compared number by number. If too many differ, all: they tell where.
    """
    if {"text", "num_tokens"} <= expected.keys() & found.keys():
        decided = [answers["text"] for answers in (expected, found)]
    elif set(SPANS) <= expected.keys() & found.keys():
        decided = [_spans(answers, SPANS) for answers in (expected, found)]
    elif set(TRIPLES) <= expected.keys() & found.keys():
        decided = [_spans(answers, TRIPLES) for answers in (expected, found)]
    elif set(ANSWER) <= expected.keys() & found.keys():
        decided = [list(zip(*(answers[name] for name in ANSWER), strict=True)) for answers in (expected, found)]
    else:
        return expected, found
    same = [one == other for one, other in zip(*decided, strict=False)]
    if len(decided[0]) != len(decided[1]) or same.count(False) > most * len(same):
        return expected, found
    width = max((len(row) for row, is_same in zip(decided[0], same, strict=True) if is_same), default=0)

    def kept(answers: Answers) -> Answers:
        rows = {name: [value for value, is_same in zip(v, same, strict=True) if is_same] for name, v in answers.items()}
        return {name: [_cut(value, width) for value in values] for name, values in rows.items()}

    return kept(expected), kept(found)


def _spans(answers: Answers, names: tuple[str, ...]) -> list[list[tuple]]:
    """Of each row those that are no padding."""
    rows = zip(*(answers[name] for name in names), strict=True)
    return [[span for span in zip(*row, strict=True) if span[0] >= 0] for row in rows]


def _cut(value: Any, width: int) -> Any:
    """A row of spans without padding that other rows are the reason of; anything else as it is."""
    return value[:width] if isinstance(value, list) else value
