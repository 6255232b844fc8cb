"""How well a language model predicts, over all tokens it was to predict."""

import math

import numpy as np

LARGEST = 700.0  # nats; beyond, the exponential is no float


class LanguageMetrics:
    """Perplexity: the exponential of the mean loss of a token."""

    names: tuple[str, ...] = ("perplexity",)

    def __init__(self) -> None:
        self.nats = self.tokens = 0.0

    def update(self, answers: dict[str, np.ndarray], targets: dict[str, np.ndarray]) -> None:
        """Add a batch: the mean `loss` of each example and how many tokens were `predicted`."""
        predicted = answers["predicted"].astype(np.float64)
        self.nats += float(np.sum(answers["loss"] * predicted))
        self.tokens += float(np.sum(predicted))

    def result(self) -> dict[str, float]:
        """The value of each of `names`."""
        return {"perplexity": math.exp(min(self.nats / max(self.tokens, 1.0), LARGEST))}
