"""Whether a model is right as often as its scores say."""

from dataclasses import dataclass

import numpy as np

BINS = 15


@dataclass(frozen=True)
class Reliability:
    """Examples gathered in bins of equal width by their confidence: bin m is `((m − 1) / bins, m / bins]`.

    Attributes:
        counts: `(bins,)` how many examples.
        confidence: `(bins,)` their mean confidence; 0 where there are none.
        accuracy: `(bins,)` the share of them that is right; 0 where there are none.
    """

    counts: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray

    @property
    def expected_calibration_error(self) -> float:
        """The mean distance between confidence and accuracy, each bin weighed by its examples."""
        return float(self.counts @ np.abs(self.accuracy - self.confidence)) / max(1, int(self.counts.sum()))


def reliability(confidence: np.ndarray, correct: np.ndarray, bins: int = BINS) -> Reliability:
    """What a reliability plot shows (Guo et al. 2017, arXiv:1706.04599, eq. 1 and 2).

    Args:
        confidence: `(examples,)` the probability given to the answer, 0 to 1.
        correct: `(examples,)` whether the answer was right.
        bins: how many of equal width.
    """
    confidence = np.asarray(confidence, dtype=np.float64)
    place = np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)  # (examples,)
    counts = np.bincount(place, minlength=bins)
    divisor = np.maximum(counts, 1)
    return Reliability(
        counts,
        np.bincount(place, confidence, bins) / divisor,
        np.bincount(place, np.asarray(correct, dtype=np.float64), bins) / divisor,
    )


def expected_calibration_error(confidence: np.ndarray, correct: np.ndarray, bins: int = BINS) -> float:
    """ECE (Guo et al. 2017, arXiv:1706.04599, eq. 3); 0 is perfect, and what no examples give.

    Args:
        confidence: `(examples,)` the probability given to the answer, 0 to 1.
        correct: `(examples,)` whether the answer was right.
        bins: how many of equal width.
    """
    return reliability(confidence, correct, bins).expected_calibration_error
