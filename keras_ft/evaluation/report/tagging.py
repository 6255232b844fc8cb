"""What a report shows of a tagger: its labels one by one, and in which entities it was wrong."""

import numpy as np

from keras_ft.evaluation.report.page import Cell, Section, Table
from keras_ft.evaluation.shorten import shortened
from keras_ft.tasks.tagging_metrics import scores

CHARACTERS = 60  # of an entity that is shown

Columns = dict[str, np.ndarray]


def per_label(labels: list[str], columns: Columns) -> Section:
    """Precision, recall and F1 of the entities of each label, the lowest F1 first, and of all."""
    names = ("hits", "predicted", "gold")
    by_label = {name: columns[f"{name}_by_label"].sum(axis=0, dtype=np.int64) for name in names}  # (labels,)
    found = scores(**by_label)
    rows = [
        _row(labels[i], {name: values[i] for name, values in (found | by_label).items()})
        for i in np.argsort(found["f1"], kind="stable")
    ]
    total = {name: int(columns[name].sum()) for name in names}
    rows.append(_row("all (micro)", scores(**total) | total))
    caption = f"{len(labels):,} labels, the lowest F1 first; an entity counts where its borders and its label are right"
    header = ["label", "precision", "recall", "F1", "entities", "found", "of them right"]
    return Section("Labels", [Table(caption, header, rows, sortable=True)])


def describe_mistake(columns: Columns, row: int) -> list[tuple[str, str]]:
    """How many entities there are and were found, and the loss."""
    said = {"entities": "gold", "found": "predicted", "of them right": "hits"}
    counts = [(name, f"{columns[column][row]:,}") for name, column in said.items()]
    return [*counts, ("loss a word", f"{columns['loss'][row]:.2f}")]


def mistake_facts(labels: list[str], columns: Columns, row: int, text: str) -> list[tuple[str, str]]:
    """The entities that were missed and those wrongly found, as the text has them, and the loss."""
    facts = []
    for name, column in (("missed", "missed"), ("wrongly found", "wrong")):
        spans = [span for span in columns[column][row].tolist() if span[0] >= 0]
        if spans:
            facts.append((name, ", ".join(_named(labels, text, *span) for span in spans)))
    return [*facts, ("loss a word", f"{columns['loss'][row]:.2f}")]


def _row(name: str, values: dict[str, float]) -> list[Cell | str | int | float]:
    f1 = float(values["f1"])
    counts = [int(values[name]) for name in ("gold", "predicted", "hits")]
    return [name, float(values["precision"]), float(values["recall"]), Cell(f1, shade=f1), *counts]


def _named(labels: list[str], text: str, start: int, end: int, label: int) -> str:
    written = shortened(text[start:end], CHARACTERS)
    place = f"{start}–{end}"
    return f"{labels[label]} “{written}” ({place})" if written else f"{labels[label]} ({place})"
