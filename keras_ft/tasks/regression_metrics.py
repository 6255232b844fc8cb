"""How near numbers come to those of the data, over all examples."""

import numpy as np


def correlations(label: np.ndarray, score: np.ndarray) -> dict[str, float]:
    """scipy's `pearson` and `spearman`; 0 where either side is the same throughout, so that nothing can be said.

    Args:
        label, score: `(examples,)`.
    """
    if len(label) < 2 or np.ptp(label) == 0 or np.ptp(score) == 0:
        return {"pearson": 0.0, "spearman": 0.0}
    from scipy.stats import pearsonr, spearmanr  # only here, since its import takes most of a second

    return {
        "pearson": float(pearsonr(label, score).statistic),
        "spearman": float(spearmanr(label, score).statistic),
    }


class RegressionMetrics:
    """Pearson's and Spearman's correlation, mean squared and mean absolute error in the data's own unit."""

    names: tuple[str, ...] = ("pearson", "spearman", "mse", "mae")

    def __init__(self) -> None:
        self.label: list[np.ndarray] = []
        self.score: list[np.ndarray] = []

    def update(self, answers: dict[str, np.ndarray], targets: dict[str, np.ndarray]) -> None:
        """Add a batch of `score` answers and their `label` targets."""
        self.score.append(answers["score"].astype(np.float64))
        self.label.append(targets["label"].astype(np.float64))

    def result(self) -> dict[str, float]:
        """The value of each of `names`."""
        label, score = np.concatenate(self.label), np.concatenate(self.score)
        errors = score - label
        return {
            **correlations(label, score),
            "mse": float(np.mean(errors**2)),
            "mae": float(np.mean(np.abs(errors))),
        }
