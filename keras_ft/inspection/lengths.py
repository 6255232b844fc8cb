"""Lengths in tokens: their distribution, and what padding them would cost."""

from typing import Any

import numpy as np

from keras_ft.data.plan import plan
from keras_ft.recipe import TrainSection

PERCENTILES = (50, 90, 95, 99)
BARS = 12


def distribution(lengths: np.ndarray) -> dict[str, Any]:
    """Mean, extremes, percentiles and a histogram of lengths, `(rows,)`; the twelfth bar holds all that are longer."""
    if not len(lengths):
        return {}
    percentiles = np.percentile(lengths, PERCENTILES, method="inverted_cdf").astype(int).tolist()
    named = dict(zip(("median", "p90", "p95", "p99"), percentiles, strict=True))
    start, longest = int(lengths.min()), int(lengths.max())
    width = -(-(named["p99"] + 1 - start) // (BARS - 1))
    counts = np.bincount(np.minimum((lengths - start) // width, BARS - 1)).tolist()
    return {
        "min": start,
        "mean": round(float(lengths.mean()), 1),
        **named,
        "max": longest,
        "histogram": [
            {"from": start + i * width, "to": start + (i + 1) * width - 1 if i < BARS - 1 else longest, "rows": count}
            for i, count in enumerate(counts)
        ],
    }


def has_tail(histogram: list[dict[str, int]]) -> bool:
    """Whether the last bar spans more lengths than the others, so that it cannot be drawn to their scale."""
    first, last = histogram[0], histogram[-1]
    return last["to"] - last["from"] > first["to"] - first["from"]


def truncation(lengths: np.ndarray, limit: int | None) -> dict[str, Any]:
    """What is lost at a limit, if there is one."""
    over = lengths - (lengths.max(initial=0) if limit is None else limit)
    cut = over > 0
    lost, tokens = int(over[cut].sum()), int(lengths.sum())
    return {
        "texts": int(cut.sum()),
        "share": round(float(cut.mean()), 6) if len(lengths) else 0.0,
        "tokens_lost": lost,
        "share_of_tokens_lost": round(lost / tokens, 6) if tokens else 0.0,
    }


def padding(lengths: np.ndarray, max_length: int, train: TrainSection) -> dict[str, float]:
    """The share of all places that would be padding: at a fixed length, to the longest of each batch, and here."""
    if not len(lengths):
        return {}
    sizes = {"batch_size": train.batch_size, "tokens_per_batch": train.tokens_per_batch}
    batches = plan(lengths, train.seed, 0, **sizes, window=1)
    longest = sum(len(batch) * int(lengths[batch].max()) for batch in batches)
    tokens = int(lengths.sum())
    return {
        "fixed_length": round(1 - tokens / int((-(-lengths // max_length) * max_length).sum()), 4),
        "longest_of_batch": round(1 - tokens / longest, 4),
        "keras_ft": 0.0,
    }
