"""How good a classifier is, over all examples it was shown."""

import numpy as np


class ClassificationMetrics:
    """scikit-learn's accuracy, F1 and Matthews correlation over all examples given.

    They count every example by its best label. Of a model that abstains, `coverage` is the fraction of examples that
    were given a label, and `answered_accuracy` the accuracy on those (0 if there are none).

    Args:
        labels: names, in the order of their numbers.
        abstains: whether `label` is empty on some examples.
    """

    def __init__(self, labels: list[str], abstains: bool = False):
        self.index = {label.encode(): number for number, label in enumerate(labels)}
        self.abstains = abstains
        self.predicted: list[int] = []
        self.expected: list[int] = []
        self.answered: list[bool] = []

    @property
    def scores(self) -> tuple[str, ...]:
        """The names of what counts every example."""
        return ("accuracy", "macro_f1", "micro_f1", "mcc")

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all metrics."""
        return (*self.scores, "coverage", "answered_accuracy") if self.abstains else self.scores

    def update(self, answers: dict[str, np.ndarray], targets: dict[str, np.ndarray]) -> None:
        """Add a batch of `answer`s and their `label` targets."""
        self.predicted += [self.index[label] for label in answers["labels"][:, 0]]
        self.answered += [bool(label) for label in answers["label"]]
        self.expected += targets["label"].tolist()

    def result(self) -> dict[str, float]:
        """The value of each of `names`."""
        return self.measured() | self._of_answered() if self.abstains else self.measured()

    def measured(self) -> dict[str, float]:
        """The value of each of `scores`."""
        from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef

        pair = (self.expected, self.predicted)
        return {
            "accuracy": float(accuracy_score(*pair)),
            "macro_f1": float(f1_score(*pair, average="macro", zero_division=0)),
            "micro_f1": float(f1_score(*pair, average="micro", zero_division=0)),
            "mcc": float(matthews_corrcoef(*pair)),
        }

    def _of_answered(self) -> dict[str, float]:
        correct = np.equal(self.expected, self.predicted)[np.array(self.answered, bool)]
        accuracy = float(correct.mean()) if len(correct) else 0.0
        return {"coverage": len(correct) / max(1, len(self.answered)), "answered_accuracy": accuracy}
