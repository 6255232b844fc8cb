"""What a report shows of vectors: cosines beside labels, where partners are found, how texts are spread."""

import numpy as np

from keras_ft.evaluation.report import figures
from keras_ft.evaluation.report.page import Figure, Numbers, Section, Table

Columns = dict[str, np.ndarray]
POINTS_SHOWN = 1000
BINS = 40
RANKS = (1, 2, 3, 5, 10, 20, 50, 100, 1000)


def scores(columns: Columns) -> Section:
    """Cosines beside labels, a point an example, evenly chosen where there are very many."""
    label, cosine = columns["label"].astype(np.float64), columns["similarity"].astype(np.float64)
    count = min(len(label), POINTS_SHOWN)
    shown = np.arange(count) * len(label) // count
    some = f" ({count:,} of {len(label):,} pairs)" if count < len(label) else ""
    low, high = float(label.min()), float(label.max())
    share = (label - low) / max(high - low, 1e-9)
    figure = figures.scatter(share[shown], cosine[shown], f"label, {low:g} as 0 and {high:g} as 1", "cosine")
    says = f"Scatter plot: the correlation is {np.corrcoef(share, cosine)[0, 1] if high > low else 0.0:.3f}."
    return Section("Similarity", [Figure(f"Cosines beside labels{some}", says, figure), _by_label(label, cosine)])


def ranks(columns: Columns) -> Section:
    """How many partners are among the nearest so many, and the cosines of pairs."""
    rank, cosine = columns["rank"], columns["similarity"].astype(np.float64)
    rows: list[list] = [[f"{most:,}", int((rank <= most).sum()), float(np.mean(rank <= most))] for most in RANKS]
    counts, edges = np.histogram(cosine, BINS)
    numbers = [("median rank", f"{int(np.median(rank)):,}"), ("mean cosine", f"{cosine.mean():.3f}")]
    if "negative_similarity" in columns:
        numbers.append(("mean cosine of negatives", f"{columns['negative_similarity'].mean():.3f}"))
    return Section(
        "Partners",
        [
            Numbers(numbers),
            Table("Partners found among the nearest texts", ["nearest", "found", "share"], rows),
            Figure(
                "Cosines of the pairs",
                f"Histogram: half of the cosines are below {np.median(cosine):.3f}.",
                figures.bars(edges, counts, "cosine", "pairs"),
            ),
        ],
    )


def spread(columns: Columns) -> Section:
    """How near each text lies to all others."""
    counts, edges = np.histogram(np.log(np.maximum(columns["crowding"], 1e-9)), BINS)
    caption = "Uniformity text by text: the more to the left, the farther a text lies from all others"
    middle = float(np.median(np.log(np.maximum(columns["crowding"], 1e-9))))
    figure = figures.bars(edges, counts, "log mean exp(−2 d²)", "texts")
    return Section("Spread", [Figure(caption, f"Histogram: half of the texts are below {middle:.2f}.", figure)])


def _by_label(label: np.ndarray, cosine: np.ndarray) -> Table:
    """The cosines of about a fifth of the pairs a row, from the smallest labels to the greatest."""
    cuts = np.unique(np.quantile(label, [0.2, 0.4, 0.6, 0.8], method="inverted_cdf"))
    group = np.searchsorted(cuts, label)
    rows: list[list] = []
    for number in np.unique(group):
        labels, cosines = label[group == number], cosine[group == number]
        low, middle, high = np.quantile(cosines, [0.1, 0.5, 0.9])
        name = f"{labels.min():.4g}" if np.ptp(labels) == 0 else f"{labels.min():.4g} to {labels.max():.4g}"
        rows.append([name, len(labels), float(low), float(middle), float(high)])
    return Table("Cosines by label", ["label", "pairs", "10 % below", "half below", "90 % below"], rows)
