"""One label for a text, or for two texts together."""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, ClassVar

import numpy as np
from keras import ops
from scipy.special import softmax

from keras_ft.batch import TokenBatch
from keras_ft.data.labels import LabelSet, label_text
from keras_ft.data.rows import Rows
from keras_ft.errors import RequestError
from keras_ft.layers.cross_entropy import cross_entropy
from keras_ft.tasks.base import Metrics
from keras_ft.tasks.classification_metrics import ClassificationMetrics
from keras_ft.tasks.classification_options import Abstain, ClassificationOptions, Temperature, weights_of_labels
from keras_ft.tasks.confidence import (
    BOUNDS,
    FEWEST_EXAMPLES,
    Threshold,
    choose_threshold,
    fit_temperature,
    nats,
)
from keras_ft.tasks.pooled import LabelledTask, labels_listed, pooling_of

Tensor = Any


class Classification(LabelledTask):
    """Softmax over labels from one pooled vector a text.

    Args:
        labels, pooling, max_length: see `LabelledTask`.
        class_weight: loss weight of each label, in their order; all 1 if not given.
        label_smoothing, focal_gamma: see `cross_entropy`.
        temperature: what the logits are divided by before they become scores; `auto` until `calibrate` found it.
        abstain: the score below which `label` stays empty; `{accuracy: …}` until `calibrate` found it.
    """

    name = "classification"
    Options: ClassVar[type[ClassificationOptions]] = ClassificationOptions
    text_columns: ClassVar[tuple[str, ...]] = ("text",)
    feature_columns = text_columns
    target_columns = ("label",)
    axes = {"label": "example"}  # noqa: RUF012
    main_metric = "accuracy"

    def __init__(
        self,
        labels: list[str],
        pooling: str,
        max_length: int,
        class_weight: list[float] | None = None,
        label_smoothing: float = 0.0,
        focal_gamma: float = 0.0,
        temperature: Temperature = 1.0,
        abstain: Abstain = None,
    ):
        super().__init__(labels, pooling, max_length)
        self.class_weight = class_weight
        self.label_smoothing, self.focal_gamma = label_smoothing, focal_gamma
        self.temperature, self.abstain = temperature, abstain

    @classmethod
    def from_data(
        cls, chunks: Iterable[Rows], options: ClassificationOptions, default_pooling: str | None, max_length: int
    ) -> "Classification":
        """A task over the labels that occur in the rows."""
        occurrences = Counter(name for rows in chunks for name in cls.strata(rows))
        labels = LabelSet.discover(occurrences)
        counts = np.array([occurrences[name] for name in labels.names])
        if options.abstain is not None and "" in labels.names:
            raise RequestError(f"task {cls.name}: abstain leaves 'label' empty, but the training data have a label ''")
        return cls(
            labels.names,
            pooling_of(options, default_pooling),
            max_length,
            weights_of_labels(options.class_weight, labels.names, counts),
            options.label_smoothing,
            options.focal_gamma,
            options.temperature,
            options.abstain,
        )

    @classmethod
    def strata(cls, rows: Rows) -> list[str]:
        """The labels."""
        return [label_text(value, rows.where(i)) for i, value in enumerate(rows.columns["label"])]

    def to_json(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            "labels": self.labels.names,
            "pooling": self.pooling,
            "max_length": self.max_length,
            "class_weight": self.class_weight,
            "label_smoothing": self.label_smoothing,
            "focal_gamma": self.focal_gamma,
            "temperature": self.temperature,
            "abstain": self.abstain,
        }

    def targets(self, rows: Rows) -> dict[str, np.ndarray]:
        """`label`: `(examples,)` int32."""
        return {"label": self.labels.indices(rows.columns["label"], rows.where)}

    def loss(self, outputs: dict[str, Tensor], batch: TokenBatch) -> tuple[Tensor, Tensor]:
        """Cross-entropy in nats, `(examples,)`, smoothed and focal as asked for, and the weights of the labels."""
        losses = cross_entropy(outputs["logits"], batch.features["label"], self.label_smoothing, self.focal_gamma)
        return losses, self._weights(batch)

    def evaluation_loss(self, outputs: dict[str, Tensor], batch: TokenBatch) -> tuple[Tensor, Tensor]:
        """Plain cross-entropy of the scores in nats, `(examples,)`, each of weight 1: it compares between recipes."""
        losses = cross_entropy(outputs["logits"] / self._divide_by, batch.features["label"])
        return losses, batch.example_weights

    def divisor(self, batch: TokenBatch) -> Tensor:
        """The number of examples, or the sum of their labels' weights; those that only fill up do not count."""
        return ops.sum(self._weights(batch))

    def metrics(self) -> Metrics:
        """Accuracy, macro and micro F1, Matthews correlation; with a threshold what it leaves and how good that is."""
        return ClassificationMetrics(self.labels.names, self.score_threshold is not None)

    def answer(
        self,
        outputs: dict[str, Tensor],
        batch: TokenBatch | None = None,
        texts: dict[str, Tensor] | None = None,
        top_k: int | None = None,
    ) -> dict[str, Tensor]:
        """`label`, `score` `(examples,)`; `labels`, `scores` `(examples, top_k)`, best first.

        `top_k` is all labels up to 20 of them, else 5. `label` is empty where `score` is below the threshold.
        """
        import tensorflow as tf

        logits = outputs["logits"]
        # Ranked by logits, not by scores: a temperature could round two to a tie.
        _, indices = tf.math.top_k(logits, k=labels_listed(self.num_outputs, top_k))
        scores = tf.gather(tf.nn.softmax(logits / self._divide_by), indices, batch_dims=1)
        labels = tf.gather(tf.constant(self.labels.names), indices)
        label, score = labels[:, 0], scores[:, 0]
        if self.score_threshold is not None:
            label = tf.where(score >= self.score_threshold, label, "")
        return {"label": label, "score": score, "labels": labels, "scores": scores}

    def record(
        self,
        outputs: dict[str, np.ndarray],
        answers: dict[str, np.ndarray],
        targets: dict[str, np.ndarray],
        losses: np.ndarray,
    ) -> dict[str, np.ndarray]:
        """`label`, `predicted` (numbers of labels), `score`, `label_score` (their probabilities) and `loss`.

        Where a temperature was fitted, `raw_score` is the score without it.
        """
        logits = outputs["logits"].astype(np.float64)  # (examples, labels)
        label = targets["label"].astype(np.int32)
        found = {
            "label": label,
            "predicted": logits.argmax(axis=-1).astype(np.int32),
            "score": answers["score"].astype(np.float32),
            "label_score": softmax(logits / self._divide_by, axis=-1)[np.arange(len(label)), label].astype(np.float32),
            "loss": losses.astype(np.float32),
        }
        if self._divide_by != 1.0:
            found["raw_score"] = softmax(logits, axis=-1).max(axis=-1).astype(np.float32)
        return found

    @property
    def score_threshold(self) -> float | None:
        """The score below which `label` stays empty, once it is known."""
        return self.abstain if isinstance(self.abstain, float) else None

    @property
    def wants_calibration(self) -> bool:
        """Whether a temperature or a threshold is still to be found."""
        return self.temperature == "auto" or isinstance(self.abstain, dict)

    def calibrate(
        self, outputs: dict[str, np.ndarray], targets: dict[str, np.ndarray], tell: Callable[[str], None]
    ) -> dict[str, float]:
        """Find the temperature, then the threshold on the scores that it gives.

        Returns:
            `examples`, `temperature`, the cross-entropy in nats before and after (`loss_uncalibrated`, `loss`), and,
            where an accuracy was asked for, `abstain_below`, `coverage`, `answered_accuracy`.
        """
        logits, label = outputs["logits"], targets["label"]
        correct = np.argmax(logits, axis=-1) == label
        if self.temperature == "auto":
            self.temperature = _temperature(logits, label, correct, tell)
        found = {
            "examples": len(label),
            "temperature": self.temperature,
            "loss_uncalibrated": nats(logits, label),
            "loss": nats(logits, label, self.temperature),
        }
        if isinstance(self.abstain, dict):
            wanted = self.abstain["accuracy"]
            chosen = choose_threshold(self.answer(outputs, top_k=1)["score"].numpy(), correct, wanted)
            self.abstain = chosen.score
            tell(_threshold_line(chosen, wanted))
            found |= {"abstain_below": chosen.score, "coverage": chosen.coverage}
            found["answered_accuracy"] = chosen.accuracy
        return found

    @property
    def _divide_by(self) -> float:
        return 1.0 if self.temperature == "auto" else float(self.temperature)

    def _weights(self, batch: TokenBatch) -> Tensor:
        if self.class_weight is None:
            return batch.example_weights
        weights = ops.convert_to_tensor(self.class_weight, dtype="float32")
        return batch.example_weights * ops.take(weights, batch.features["label"])


def _temperature(logits: np.ndarray, label: np.ndarray, correct: np.ndarray, tell: Callable[[str], None]) -> float:
    if len(label) < FEWEST_EXAMPLES:
        tell(f"Temperature 1: {len(label)} validation examples are too few to fit it ({FEWEST_EXAMPLES} are needed)")
        return 1.0
    if correct.all():
        tell("Temperature 1: no validation example is wrong, so there is nothing to fit it to")
        return 1.0
    temperature = fit_temperature(logits, label)
    before, after = nats(logits, label), nats(logits, label, temperature)
    edge = " (as far as it is sought)" if temperature in BOUNDS else ""
    tell(f"Temperature {temperature:.3f}{edge}: validation cross-entropy {before:.4f} → {after:.4f}")
    return temperature


def _threshold_line(chosen: Threshold, wanted: float) -> str:
    line = (
        f"Abstaining below a score of {chosen.score:.7g}: {chosen.answered:,} validation examples "
        f"({chosen.coverage:.1%}) are answered, {chosen.accuracy:.1%} of them right"
    )
    if chosen.accuracy < wanted:
        return f"{line}; an accuracy of {wanted:.1%} is not reached at any threshold"
    return f"{line}; so few tell little" if chosen.answered < FEWEST_EXAMPLES else line
