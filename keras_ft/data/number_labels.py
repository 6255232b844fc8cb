"""Labels that are numbers."""

from typing import Any

import numpy as np

from keras_ft.errors import RequestError

BINS = 10
LARGEST = float(np.finfo(np.float32).max)


def label_number(value: Any, where: str) -> float:
    """A label as a number: of JSON, or as .csv and .tsv write it.

    Args:
        value: as it was read.
        where: file and line, for errors.

    Raises:
        RequestError: it is no finite number.
    """
    number = None
    if isinstance(value, str):
        try:
            number = float(value) if "_" not in value else None  # Python's own 1_000
        except ValueError:
            number = None
    elif isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool):
        number = float(value)
    if number is None or not abs(number) <= LARGEST:  # NaN is not
        shown = repr(value) if isinstance(value, str) else f"{value}, a {type(value).__name__}"
        raise RequestError(f"{where}: the label is no finite number ({shown[:40]}); write one such as 4.5")
    return number


def quantile_groups(values: np.ndarray, counts: np.ndarray, bins: int = BINS) -> np.ndarray:
    """Numbers gathered in bins of about as many rows: the bin of each, `(values,)`.

    Args:
        values: `(values,)` different numbers.
        counts: `(values,)` rows of each.
        bins: how many at most.
    """
    order = np.argsort(values, kind="stable")
    middle = np.cumsum(counts[order]) - counts[order] / 2  # a number's place among the rows, ordered by their numbers
    group = np.empty(len(values), np.int64)
    group[order] = np.floor(bins * middle / counts.sum())
    return group
