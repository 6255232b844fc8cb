"""A number for two texts together, such as how alike they are; or for one text."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any, ClassVar, Literal

import numpy as np
from keras import ops

from keras_ft.batch import TokenBatch
from keras_ft.data.number_labels import label_number, quantile_groups
from keras_ft.data.rows import Rows
from keras_ft.errors import RequestError
from keras_ft.tasks.base import Metrics, Task
from keras_ft.tasks.pooled import PooledOptions, PooledTask, pooling_of
from keras_ft.tasks.regression_metrics import RegressionMetrics

Tensor = Any


class RegressionOptions(PooledOptions):
    """`task: {name: regression, …}`."""

    texts: Literal[1, 2] = 2
    """How many texts a number belongs to: `text_a` and `text_b`, or `text_a` alone."""
    standardize: bool = True
    """Learn labels less their mean over the training rows, divided by their standard deviation, so that learning rates
    do not depend on their unit; scores are in the unit of the data either way."""


class Regression(PooledTask):
    """A linear head on one pooled vector of [CLS] a [SEP] b [SEP], under mean squared error.

    Args:
        pooling, max_length: see `PooledTask`.
        mean, std: of the training labels; a score is `std · output + mean`.
        texts: how many a request has.
    """

    name = "regression"
    Options = RegressionOptions
    text_columns: ClassVar[tuple[str, ...]] = ("text_a", "text_b")
    feature_columns = text_columns
    target_columns = ("label",)
    axes = {"label": "example"}  # noqa: RUF012
    main_metric = "pearson"
    num_outputs = 1

    def __init__(self, pooling: str, max_length: int, mean: float = 0.0, std: float = 1.0, texts: int = 2):
        super().__init__(pooling, max_length)
        self.mean, self.std = mean, std
        if texts != len(self.text_columns):
            raise TypeError(f"a {type(self).__name__} reads {len(self.text_columns)} texts, not {texts}")

    @classmethod
    def variant(cls, settings: Mapping[str, Any]) -> type[Task]:
        """That of one text where there is one."""
        return TextRegression if settings.get("texts") == 1 else cls

    @classmethod
    def read_row(cls, values: dict[str, Any], where: str) -> dict[str, Any]:
        """The label as a number."""
        return {**values, "label": label_number(values["label"], where)}

    @classmethod
    def from_data(
        cls, chunks: Iterable[Rows], options: RegressionOptions, default_pooling: str | None, max_length: int
    ) -> "Regression":
        """A task that knows mean and standard deviation of the rows' labels.

        Raises:
            RequestError: all labels are the same.
        """
        labels = np.array([value for rows in chunks for value in cls.strata(rows)], np.float64)
        if not len(labels) or np.ptp(labels) == 0:
            found = f"has the label {labels[0]:g} throughout" if len(labels) else "has no labels"
            raise RequestError(f"the training data {found}; at least two different numbers are needed")
        mean, std = (float(labels.mean()), float(labels.std())) if options.standardize else (0.0, 1.0)
        return cls(pooling_of(options, default_pooling), max_length, mean, std, options.texts)

    @classmethod
    def strata(cls, rows: Rows) -> list[float]:
        """The labels."""
        return rows.columns["label"]

    @classmethod
    def groups(cls, strata: Sequence[Hashable], counts: np.ndarray) -> np.ndarray:
        """Labels of a tenth of the rows together."""
        return quantile_groups(np.array(strata, np.float64), counts)

    def to_json(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            "pooling": self.pooling,
            "max_length": self.max_length,
            "mean": self.mean,
            "std": self.std,
            "texts": len(self.text_columns),
        }

    def targets(self, rows: Rows) -> dict[str, np.ndarray]:
        """`label`: `(examples,)` float32, as the data have it."""
        return {"label": np.array(rows.columns["label"], np.float32)}

    def loss(self, outputs: dict[str, Tensor], batch: TokenBatch) -> tuple[Tensor, Tensor]:
        """Squared error of the standardized label, `(examples,)`."""
        wanted = (batch.features["label"] - self.mean) / self.std
        return ops.square(outputs["logits"][:, 0] - wanted), batch.example_weights

    def metrics(self) -> Metrics:
        """Pearson, Spearman, mean squared and absolute error."""
        return RegressionMetrics()

    def answer(
        self,
        outputs: dict[str, Tensor],
        batch: TokenBatch | None = None,
        texts: dict[str, Tensor] | None = None,
        top_k: int | None = None,
    ) -> dict[str, Tensor]:
        """`score`: `(examples,)` in the unit of the data; nothing is ranked."""
        return {"score": outputs["logits"][:, 0] * self.std + self.mean}

    def record(
        self,
        outputs: dict[str, np.ndarray],
        answers: dict[str, np.ndarray],
        targets: dict[str, np.ndarray],
        losses: np.ndarray,
    ) -> dict[str, np.ndarray]:
        """`label` and `score` in the unit of the data, and `loss`."""
        return {
            "label": targets["label"].astype(np.float32),
            "score": answers["score"].astype(np.float32),
            "loss": losses.astype(np.float32),
        }


class TextRegression(Regression):
    """The same for one text."""

    text_columns = feature_columns = ("text_a",)
