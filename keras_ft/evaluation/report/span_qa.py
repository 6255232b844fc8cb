"""What a report shows of answers from a text: where they are right, and some of them beside those wanted."""

from typing import Any

import numpy as np

from keras_ft.evaluation.report.page import Block, Cell, Numbers, Section, Table

SAMPLES = 20
LENGTHS = ((1, 10), (11, 25), (26, 50), (51, 100), (101, None))  # characters of an answer
EMPTY = "(none)"

Columns = dict[str, np.ndarray]


def kinds(task: dict[str, Any], columns: Columns) -> Section:
    """Questions with and without an answer, and those with one by the length of what was answered."""
    answerable, given = columns["answerable"].astype(bool), columns["start"] >= 0
    length = columns["end"] - columns["start"]
    groups = [("questions with an answer", answerable)]
    if not answerable.all():
        groups.append(("questions without an answer", ~answerable))
    groups.append(("answers left empty", ~given))
    for least, most in LENGTHS:
        inside = given & (length >= least) & (length <= (most or length.max(initial=0)))
        groups.append((f"answers of {least} to {most} characters" if most else f"answers of {least} or more", inside))
    rows: list[list[Cell | str | int | float]] = [
        [
            name,
            int(of.sum()),
            int((of & ~given).sum()),
            float(columns["exact_match"][of].mean()),
            Cell(float(columns["f1"][of].mean()), shade=float(columns["f1"][of].mean())),
        ]
        for name, of in groups
        if of.any()
    ]
    blocks: list[Block] = [Table("By kind", ["", "questions", "left empty", "exact match", "F1"], rows)]
    threshold = task["no_answer_threshold"]
    if threshold is not None:
        shown = f"{threshold:.4g}" if isinstance(threshold, float) else str(threshold)
        blocks.insert(0, Numbers([("no-answer threshold", shown)]))
    return Section("Answers", blocks)


def samples(columns: Columns) -> Section:
    """Answers beside those wanted, evenly spread over the rows."""
    count = len(columns["row"])
    chosen = np.unique((2 * np.arange(SAMPLES) + 1) * count // (2 * SAMPLES))
    rows: list[list[Cell | str | int | float]] = [
        [
            f"{columns['row'][i]:,}",
            _shown(columns["answer"][i]),
            _shown(columns["gold"][i]),
            Cell(float(columns["f1"][i]), shade=float(columns["f1"][i])),
            float(columns["score"][i]),
        ]
        for i in chosen
    ]
    return Section("Samples", [Table("Evenly spread over the rows", ["row", "answer", "wanted", "F1", "score"], rows)])


def describe_mistake(columns: Columns, row: int) -> list[tuple[str, str]]:
    """The answer, the ones wanted, and scores."""
    return [
        ("answer", _shown(columns["answer"][row])),
        ("wanted", _shown(columns["gold"][row])),
        ("F1", f"{columns['f1'][row]:.3f}"),
        ("score", f"{columns['score'][row]:.3f}"),
        ("no-answer score", f"{columns['no_answer_score'][row]:.2f}"),
    ]


def _shown(text: str) -> str:
    return str(text) or EMPTY
