"""What a report shows of a model of numbers: its answers beside the labels, and its errors."""

import numpy as np

from keras_ft.evaluation.report import figures
from keras_ft.evaluation.report.page import Figure, Numbers, Paragraph, Section, Table

Columns = dict[str, np.ndarray]
POINTS_SHOWN = 1000
BINS = 30
GROUPS = 10


def scatter(columns: Columns) -> Section:
    """A point an example, evenly chosen where there are very many."""
    label, score = columns["label"].astype(np.float64), columns["score"].astype(np.float64)
    shown = np.arange(min(len(label), POINTS_SHOWN)) * len(label) // min(len(label), POINTS_SHOWN)
    some = f" ({len(shown):,} of {len(label):,} examples)" if len(shown) < len(label) else ""
    correlation = float(np.corrcoef(label, score)[0, 1]) if np.ptp(label) > 0 and np.ptp(score) > 0 else 0.0
    figure = figures.scatter(label[shown], score[shown], "label", "answer")
    caption = f"Answers beside labels{some}; on the dashed line both are the same"
    return Section("Answers", [Figure(caption, f"Scatter plot; the correlation is {correlation:.3f}.", figure)])


def errors(columns: Columns) -> Section:
    """Answer less label: mean, spread, histogram, and by the size of the label."""
    label = columns["label"].astype(np.float64)
    error = columns["score"].astype(np.float64) - label
    counts, edges = np.histogram(error, BINS)
    low, high = np.quantile(error, [0.05, 0.95])
    return Section(
        "Errors",
        [
            Numbers(
                [
                    ("mean error", f"{error.mean():+.4g}"),
                    ("mean absolute error", f"{np.abs(error).mean():.4g}"),
                    ("root mean squared error", f"{np.sqrt((error**2).mean()):.4g}"),
                    ("of always answering the mean", f"{label.std():.4g}"),
                ]
            ),
            Paragraph("An error is the answer less the label, in the unit of the labels."),
            Figure(
                "Errors",
                f"Histogram: nine in ten errors lie from {low:.3g} to {high:.3g}.",
                figures.bars(edges, counts, "answer less label", "examples"),
            ),
            _by_label(label, error),
        ],
    )


def _by_label(label: np.ndarray, error: np.ndarray) -> Table:
    """The errors of about a tenth of the examples a row, from the smallest labels to the largest."""
    cuts = np.unique(np.quantile(label, np.linspace(0, 1, GROUPS + 1)[1:-1], method="inverted_cdf"))
    group = np.searchsorted(cuts, label)
    rows: list[list] = []
    for number in np.unique(group):
        of_group = group == number
        start, end = label[of_group].min(), label[of_group].max()
        name = f"{start:.4g}" if start == end else f"{start:.4g} to {end:.4g}"
        found = error[of_group]
        rows.append([name, int(of_group.sum()), float(found.mean()), float(np.abs(found).mean())])
    return Table("Errors by label", ["label", "examples", "mean error", "mean absolute error"], rows)
