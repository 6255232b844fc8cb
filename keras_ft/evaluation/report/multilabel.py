"""What a report shows of a model of several labels a text."""

import numpy as np

from keras_ft.evaluation.calibration import reliability
from keras_ft.evaluation.report.classification import LABELS_SHOWN, PAIRS_SHOWN, reliability_blocks
from keras_ft.evaluation.report.page import Block, Cell, Paragraph, Section, Table

Columns = dict[str, np.ndarray]


def per_label(labels: list[str], thresholds: list[float] | str, columns: Columns) -> Section:
    """Precision, recall, F1 and threshold of each label; of very many those with the lowest F1."""
    present, predicted = columns["labels"], columns["predicted"]
    hits, given, wanted = ((a & b).sum(axis=0) for a, b in ((present, predicted), (predicted,) * 2, (present,) * 2))
    f1 = 2 * hits / np.maximum(given + wanted, 1)
    order = np.argsort(f1, kind="stable")[:LABELS_SHOWN]
    rows: list[list[Cell | str | int | float]] = [
        [
            labels[i],
            float(hits[i] / max(given[i], 1)),
            float(hits[i] / max(wanted[i], 1)),
            Cell(float(f1[i]), shade=float(f1[i])),
            int(wanted[i]),
            int(given[i]),
            "–" if isinstance(thresholds, str) else float(thresholds[i]),
        ]
        for i in order
    ]
    caption = f"{len(labels):,} labels, the lowest F1 first"
    if len(labels) > LABELS_SHOWN:
        caption = f"The {LABELS_SHOWN} of {len(labels):,} labels with the lowest F1"
    header = ["label", "precision", "recall", "F1", "examples", "predicted", "threshold"]
    return Section("Labels", [Table(caption, header, rows, sortable=True)])


def confusion(labels: list[str], columns: Columns) -> Section:
    """Which label was given where another was missed, the most frequent first."""
    missed = (columns["labels"] & ~columns["predicted"]).astype(np.int64)
    extra = (columns["predicted"] & ~columns["labels"]).astype(np.int64)
    times = missed.T @ extra  # (missed label, extra label)
    pairs = np.argwhere(times)
    blocks: list[Block] = [
        Paragraph(
            f"{int(missed.sum()):,} labels of the data were missed, and {int(extra.sum()):,} given that the data do not"
            " have. Where a text has both, one may have been taken for the other."
        )
    ]
    if len(pairs):
        counts = times[pairs[:, 0], pairs[:, 1]]
        order = np.argsort(-counts, kind="stable")[:PAIRS_SHOWN]
        rows: list[list[Cell | str | int | float]] = [
            [
                labels[pairs[i, 0]],
                labels[pairs[i, 1]],
                Cell(int(counts[i]), shade=float(counts[i] / counts.max()), wrong=True),
                float(counts[i] / columns["labels"][:, pairs[i, 0]].sum()),
            ]
            for i in order
        ]
        caption = f"The most frequent pairs, {len(rows)} of {len(pairs):,}" if len(rows) < len(pairs) else "Pairs"
        blocks.append(Table(caption, ["missed", "given", "times", "share of the missed label"], rows, sortable=True))
    return Section("Confusion", blocks)


def sizes(columns: Columns) -> Section:
    """How many labels a text has in the data, and how many it was given."""
    wanted, given = columns["labels"].sum(axis=1), columns["predicted"].sum(axis=1)
    most = int(max(wanted.max(), given.max()))
    counts = np.bincount(wanted * (most + 1) + given, minlength=(most + 1) ** 2).reshape(most + 1, most + 1)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    rows = [
        [Cell(str(i)), *(Cell(int(counts[i, j]), shade=float(shares[i, j]), wrong=i != j) for j in range(most + 1))]
        for i in range(most + 1)
        if counts[i].any()
    ]
    text = f"A text has {wanted.mean():.2f} labels in the data and was given {given.mean():.2f} on average."
    caption = "Rows are numbers of labels in the data, columns numbers of labels given"
    header = ["labels", *map(str, range(most + 1))]
    return Section("Labels a text", [Paragraph(text), Table(caption, header, rows, grid=True)])


def calibration(columns: Columns) -> Section:
    """How far the score of a label can be taken for the probability that a text has it."""
    found = reliability(columns["score"].ravel(), columns["labels"].ravel())
    text = "Every label of every text is an answer here: its score beside whether the text has it."
    return Section("Calibration", [Paragraph(text), *reliability_blocks({"as answered": found})])


def describe_mistake(labels: list[str], columns: Columns, row: int) -> list[tuple[str, str]]:
    """What was wanted and what was given, with their probabilities, and the loss."""
    score = columns["score"][row]

    def listed(which: np.ndarray) -> str:
        numbers = np.flatnonzero(which)
        best = numbers[np.argsort(-score[numbers], kind="stable")]
        return ", ".join(f"{labels[i]} ({score[i]:.3f})" for i in best) or "nothing"

    return [
        ("labelled", listed(columns["labels"][row])),
        ("predicted", listed(columns["predicted"][row])),
        ("loss", f"{columns['loss'][row]:.2f}"),
    ]
