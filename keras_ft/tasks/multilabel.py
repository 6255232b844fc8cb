"""Any number of labels for one text, none among them."""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any, ClassVar, Literal

import numpy as np
from scipy.special import expit

from keras_ft.batch import TokenBatch
from keras_ft.data.label_lists import groups_by_rarest_label, label_list
from keras_ft.data.labels import LabelSet
from keras_ft.data.rows import Rows
from keras_ft.layers.binary_cross_entropy import binary_cross_entropy
from keras_ft.tasks.base import Metrics, Task
from keras_ft.tasks.multilabel_metrics import MultilabelMetrics, f1_and_accuracy
from keras_ft.tasks.multilabel_options import MultilabelOptions, positive_weights, thresholds_in_order
from keras_ft.tasks.pooled import LabelledTask, labels_listed, pooling_of
from keras_ft.tasks.thresholds import FEWEST_POSITIVES, HALF, Thresholds, choose_thresholds

Tensor = Any


class Multilabel(LabelledTask):
    """A sigmoid a label from one pooled vector a text; a label is given from its threshold on.

    Args:
        labels, pooling, max_length: see `LabelledTask`.
        class_weight: what the loss of each label weighs where it is present, in their order; all 1 if not given.
        focal_gamma: see `binary_cross_entropy`.
        thresholds: the score from which on each label is given, in their order; `auto` until `calibrate` found them.
        base_rates: the share of training rows that have each label, in their order; the head's bias begins there.
        separator: stands between labels that a file holds as a string; the class's own, see `variant`.
    """

    name = "multilabel"
    Options = MultilabelOptions
    text_columns = feature_columns = ("text",)
    target_columns = blank_columns = ("labels",)
    axes = {"labels": "example"}  # noqa: RUF012
    main_metric = "micro_f1"
    separator: ClassVar[str] = ","

    def __init__(
        self,
        labels: list[str],
        pooling: str,
        max_length: int,
        class_weight: list[float] | None = None,
        focal_gamma: float = 0.0,
        thresholds: list[float] | Literal["auto"] = "auto",
        base_rates: list[float] | None = None,
        separator: str = ",",
    ):
        super().__init__(labels, pooling, max_length)
        self.class_weight, self.focal_gamma = class_weight, focal_gamma
        self.thresholds, self.base_rates = thresholds, base_rates
        if separator != self.separator:
            raise ValueError(f"labels are apart by {self.separator!r} here, not by {separator!r}")

    @classmethod
    def variant(cls, settings: Mapping[str, Any]) -> type[Task]:
        """One that reads labels with another separator between them."""
        separator = settings.get("separator", cls.separator)
        return cls if separator == cls.separator else type(cls.__name__, (cls,), {"separator": separator})

    @classmethod
    def read_row(cls, values: dict[str, Any], where: str) -> dict[str, Any]:
        """The labels as a tuple."""
        return {**values, "labels": label_list(values["labels"], cls.separator, where)}

    @classmethod
    def from_data(
        cls, chunks: Iterable[Rows], options: MultilabelOptions, default_pooling: str | None, max_length: int
    ) -> "Multilabel":
        """A task over the labels that occur in the rows."""
        occurrences: Counter[str] = Counter()
        num_examples = 0
        for rows in chunks:
            num_examples += len(rows)
            for names in cls.strata(rows):
                occurrences.update(names)
        labels = LabelSet.discover(occurrences, fewest=1).names
        counts = np.array([occurrences[name] for name in labels])
        return cls(
            labels,
            pooling_of(options, default_pooling),
            max_length,
            positive_weights(options.class_weight, labels, counts, num_examples),
            options.focal_gamma,
            thresholds_in_order(options.thresholds, labels),
            ((counts + 1) / (num_examples + 2)).tolist(),
            cls.separator,
        )

    @classmethod
    def strata(cls, rows: Rows) -> list[tuple[str, ...]]:
        """The labels of each row."""
        return rows.columns["labels"]

    @classmethod
    def groups(cls, strata: Sequence[Hashable], counts: np.ndarray) -> np.ndarray:
        """By the rarest of their labels, so that each label is held out in proportion though no two rows are alike."""
        return groups_by_rarest_label(strata, counts)

    def to_json(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            "labels": self.labels.names,
            "pooling": self.pooling,
            "max_length": self.max_length,
            "class_weight": self.class_weight,
            "focal_gamma": self.focal_gamma,
            "thresholds": self.thresholds,
            "base_rates": self.base_rates,
            "separator": self.separator,
        }

    def first_bias(self) -> np.ndarray | None:
        """The logits that are right for a text of which nothing is known.

        Labels are rare, and a bias moves by one learning rate a step: from 0 the encoder would first learn to say no to
        everything, and forget what it knows of texts (Lin et al. 2017, arXiv:1708.02002, section 3.3).
        """
        if self.base_rates is None:
            return None
        rates = np.array(self.base_rates)
        return np.log(rates / (1 - rates)) + np.log(self.class_weight or 1.0)

    def targets(self, rows: Rows) -> dict[str, np.ndarray]:
        """`labels`: `(examples, labels)` uint8, 1 where a row has a label."""
        present = np.zeros((len(rows), self.num_outputs), np.uint8)
        for i, names in enumerate(rows.columns["labels"]):
            present[i, [self.labels.index(name, rows.where(i)) for name in names]] = 1
        return {"labels": present}

    def loss(self, outputs: dict[str, Tensor], batch: TokenBatch) -> tuple[Tensor, Tensor]:
        """Binary cross-entropy in nats, the mean over labels, `(examples,)`, weighted and focal as asked for."""
        present = batch.features["labels"]
        losses = binary_cross_entropy(outputs["logits"], present, self.class_weight, self.focal_gamma)
        return losses, batch.example_weights

    def evaluation_loss(self, outputs: dict[str, Tensor], batch: TokenBatch) -> tuple[Tensor, Tensor]:
        """Plain binary cross-entropy in nats, the mean over labels, `(examples,)`: it compares between recipes."""
        return binary_cross_entropy(outputs["logits"], batch.features["labels"]), batch.example_weights

    def metrics(self) -> Metrics:
        """Micro and macro F1 and the accuracy of whole answers; before `calibrate`, at the best threshold for all."""
        return MultilabelMetrics(None if isinstance(self.thresholds, str) else self.thresholds)

    def answer(
        self,
        outputs: dict[str, Tensor],
        batch: TokenBatch | None = None,
        texts: dict[str, Tensor] | None = None,
        top_k: int | None = None,
    ) -> dict[str, Tensor]:
        """`labels`, `scores`, and `predicted`, whether a label is given, `(examples, top_k)` each, best score first.

        `top_k` is all labels up to 20 of them, else 5.
        """
        import tensorflow as tf

        logits, indices = tf.math.top_k(outputs["logits"], k=labels_listed(self.num_outputs, top_k))
        scores = tf.sigmoid(logits)
        thresholds = tf.gather(tf.constant(self._thresholds), indices)
        return {
            "labels": tf.gather(tf.constant(self.labels.names), indices),
            "scores": scores,
            "predicted": scores >= thresholds,
        }

    def record(
        self,
        outputs: dict[str, np.ndarray],
        answers: dict[str, np.ndarray],
        targets: dict[str, np.ndarray],
        losses: np.ndarray,
    ) -> dict[str, np.ndarray]:
        """`labels`, `predicted` and `score`, `(examples, labels)` in the order of the labels, and `loss`."""
        score = expit(outputs["logits"].astype(np.float32))
        return {
            "labels": targets["labels"].astype(bool),
            "predicted": score >= self._thresholds,
            "score": score,
            "loss": losses.astype(np.float32),
        }

    @property
    def wants_calibration(self) -> bool:
        """Whether thresholds are still to be found."""
        return isinstance(self.thresholds, str)

    def calibrate(
        self, outputs: dict[str, np.ndarray], targets: dict[str, np.ndarray], tell: Callable[[str], None]
    ) -> dict[str, float]:
        """Find the thresholds.

        Returns:
            `examples`; `threshold`, which labels of few examples share; `own_thresholds`, how many labels have another;
            micro and macro F1 at 0.5 (`micro_f1_at_half`, …) and at what was found.
        """
        scores, present = expit(outputs["logits"].astype(np.float32)), targets["labels"].astype(bool)
        chosen = choose_thresholds(scores, present)
        self.thresholds = [float(value) for value in chosen.by_label]
        everything = np.ones((1, len(scores)))
        before = f1_and_accuracy(present, scores >= np.float32(HALF), everything)
        after = f1_and_accuracy(present, scores >= self._thresholds, everything)
        found = {"examples": len(scores), "threshold": chosen.shared, "own_thresholds": int(chosen.own.sum())}
        for name in ("micro_f1", "macro_f1"):
            found |= {f"{name}_at_half": float(before[name][0]), name: float(after[name][0])}
        tell(_line(chosen, found))
        return found

    @property
    def label_thresholds(self) -> dict[str, float]:
        """Label → the score from which on it is given."""
        return dict(zip(self.labels.names, self._thresholds.tolist(), strict=True))

    @property
    def _thresholds(self) -> np.ndarray:
        """`(labels,)` float32."""
        chosen = [HALF] * self.num_outputs if isinstance(self.thresholds, str) else self.thresholds
        return np.array(chosen, np.float32)


def _line(chosen: Thresholds, found: dict[str, float]) -> str:
    own = chosen.by_label[chosen.own]
    parts = []
    if len(own):
        parts.append(f"{len(own)} of their own ({own.min():.3f} to {own.max():.3f})")
    if not chosen.own.all():
        rare = int((~chosen.own).sum())
        parts.append(f"{chosen.shared:.3f} for {rare} with fewer than {FEWEST_POSITIVES} validation examples")
    gained = f"validation micro F1 {found['micro_f1_at_half']:.4f} at 0.5 → {found['micro_f1']:.4f}"
    return f"Thresholds: {', '.join(parts)}; {gained}"
