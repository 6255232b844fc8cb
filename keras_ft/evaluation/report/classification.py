"""What a report shows of a classifier: its labels one by one, which it confuses, and how far its scores hold."""

import numpy as np

from keras_ft.evaluation.calibration import BINS, Reliability
from keras_ft.evaluation.calibration import reliability as bins_of
from keras_ft.evaluation.report import figures
from keras_ft.evaluation.report.page import Block, Cell, Figure, Numbers, Paragraph, Section, Table

TABLE_UP_TO = 20  # labels in a confusion matrix with numbers
LABELS_SHOWN = 500
PAIRS_SHOWN = 30
PIXELS = 200  # a side of the heat map
SHORT = 8  # characters of a label that may stand level above its column

Columns = dict[str, np.ndarray]


def per_label(labels: list[str], columns: Columns) -> Section:
    """Precision, recall and F1 of each label that occurs, by scikit-learn; of very many those with the lowest F1."""
    from sklearn.metrics import precision_recall_fscore_support

    label, predicted = columns["label"], columns["predicted"]
    present = np.union1d(label, predicted)
    scores = precision_recall_fscore_support(label, predicted, labels=present, zero_division=0)
    given = np.bincount(predicted, minlength=len(labels))[present]
    order = np.argsort(scores[2], kind="stable")
    rows: list[list[Cell | str | int | float]] = []
    for i in order[:LABELS_SHOWN]:
        precision, recall, f1, support = (float(values[i]) for values in scores)
        rows.append([labels[present[i]], precision, recall, Cell(f1, shade=f1), int(support), int(given[i])])
    caption = f"{len(present):,} labels, the lowest F1 first"
    if len(present) > LABELS_SHOWN:
        caption = f"The {LABELS_SHOWN} of {len(present):,} labels with the lowest F1"
    header = ["label", "precision", "recall", "F1", "examples", "predicted"]
    blocks: list[Block] = [Table(caption, header, rows, sortable=True)]
    if len(present) < len(labels):
        blocks.append(Paragraph(f"{len(labels) - len(present):,} labels occur neither in the data nor in the answers."))
    return Section("Labels", blocks)


def confusion(labels: list[str], columns: Columns) -> Section:
    """The confusion matrix of up to 20 labels; of more, the most confused pairs and a map."""
    label, predicted = columns["label"], columns["predicted"]
    support = np.bincount(label, minlength=len(labels))
    blocks: list[Block] = []
    if len(labels) <= TABLE_UP_TO:
        blocks.append(_matrix(labels, label, predicted, support))
    wrong = label != predicted
    if not wrong.any():
        return Section("Confusion", [*blocks, Paragraph("No answer is wrong.")])
    if len(labels) > 2:
        blocks.append(_pairs(labels, label[wrong], predicted[wrong], support))
    if len(labels) > TABLE_UP_TO:
        blocks.append(_map(len(labels), label, predicted))
    return Section("Confusion", blocks)


def calibration(columns: Columns) -> Section:
    """How far scores can be taken for probabilities; also before temperature scaling where `raw_score` was kept."""
    right = columns["label"] == columns["predicted"]
    found = {"as answered": bins_of(columns["score"], right)}
    if "raw_score" in columns:
        found = {"after scaling": found["as answered"], "before": bins_of(columns["raw_score"], right)}
    return Section("Calibration", reliability_blocks(found))


def reliability_blocks(found: dict[str, Reliability]) -> list[Block]:
    """The expected calibration errors of one or two sets of scores, and their plot; the first is put into words."""
    errors = {name: f"{bins.expected_calibration_error:.4f}" for name, bins in found.items()}
    points = [(name, bins.confidence[bins.counts > 0], bins.accuracy[bins.counts > 0]) for name, bins in found.items()]
    first = next(iter(found.values()))
    says = "; ".join(f"{name} the expected calibration error is {error}" for name, error in errors.items())
    return [
        Numbers([(f"ECE {name}" if len(found) > 1 else "ECE", error) for name, error in errors.items()]),
        Paragraph(_in_words(first)),
        Figure(
            f"Reliability in {BINS} bins of equal width: where points lie below the diagonal,"
            " the model is more sure than it is right.",
            f"Reliability plot: {says}.",
            figures.reliability(points, first.counts),
        ),
    ]


def describe_mistake(labels: list[str], columns: Columns, row: int) -> list[tuple[str, str]]:
    """Both labels with their probabilities, and the loss."""
    label, predicted = labels[columns["label"][row]], labels[columns["predicted"][row]]
    return [
        ("labelled", f"{label} ({columns['label_score'][row]:.3f})"),
        ("predicted", f"{predicted} ({columns['score'][row]:.3f})"),
        ("loss", f"{columns['loss'][row]:.2f}"),
    ]


def _in_words(found: Reliability) -> str:
    total = max(1, int(found.counts.sum()))
    confidence, accuracy = (float(found.counts @ values) / total for values in (found.confidence, found.accuracy))
    return (
        f"The mean confidence is {confidence:.1%} and {accuracy:.1%} of the answers are right. The expected"
        " calibration error (ECE) is the mean distance between the two over bins of confidence; 0 is perfect."
    )


def _matrix(labels: list[str], label: np.ndarray, predicted: np.ndarray, support: np.ndarray) -> Table:
    size = len(labels)
    counts = np.bincount(label * size + predicted, minlength=size * size).reshape(size, size)
    shares = counts / np.maximum(support, 1)[:, None]
    rows = [
        [Cell(labels[i]), *(Cell(int(counts[i, j]), shade=float(shares[i, j]), wrong=i != j) for j in range(size))]
        for i in range(size)
    ]
    upright = size > 5 or max(map(len, labels)) > SHORT
    caption = "Rows are the labels of the data, columns what was predicted; colour is the share of the row"
    return Table(caption, ["label", *labels], rows, upright=upright, grid=True)


def _pairs(labels: list[str], label: np.ndarray, predicted: np.ndarray, support: np.ndarray) -> Table:
    pairs, counts = np.unique(np.stack([label, predicted], axis=1), axis=0, return_counts=True)
    order = np.argsort(-counts, kind="stable")[:PAIRS_SHOWN]
    rows = [
        [
            Cell(labels[pairs[i, 0]]),
            labels[pairs[i, 1]],
            Cell(int(counts[i]), shade=float(counts[i] / counts.max()), wrong=True),
            float(counts[i] / support[pairs[i, 0]]),
        ]
        for i in order
    ]
    caption = f"The most confused pairs, {len(rows)} of {len(pairs):,}" if len(rows) < len(pairs) else "Confused pairs"
    return Table(caption, ["label", "predicted as", "times", "share of the label"], rows, sortable=True)


def _map(size: int, label: np.ndarray, predicted: np.ndarray) -> Figure:
    side = min(size, PIXELS)
    rows, columns = label.astype(np.int64) * side // size, predicted.astype(np.int64) * side // size
    counts = np.bincount(rows * side + columns, minlength=side * side).reshape(side, side)
    right = float(np.mean(label == predicted))
    per = "" if side == size else f" A dot stands for {size / side:.2g} labels a side."
    return Figure(
        f"Every label of the data (down) against every prediction (across), in the order of the labels.{per}",
        f"Map of the confusion matrix of {size:,} labels; {right:.1%} of the examples lie on the diagonal.",
        figures.heat_map(counts, size, "predicted", "label"),
    )
