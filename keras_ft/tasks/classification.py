"""One label for one text."""

from collections.abc import Iterable
from typing import Any, Literal

import numpy as np
from keras import ops

from keras_ft.batch import TokenBatch
from keras_ft.data.labels import LabelSet, label_text
from keras_ft.data.rows import Rows
from keras_ft.layers.encoder import encode, pool
from keras_ft.layers.random import Key, dropout
from keras_ft.layers.task_model import ModelView
from keras_ft.recipe import Section
from keras_ft.tasks.base import Metrics, Task
from keras_ft.text.assemble import Sequences, single
from keras_ft.text.wordpiece import WordPieceTokenizer

Tensor = Any
ALL_LABELS_UP_TO = 20
TOP_K_OF_MANY = 5
HEAD_SITE = 1_000_003  # a drop-out site number apart from the encoder's


class ClassificationOptions(Section):
    """`task: {name: classification, …}`."""

    pooling: Literal["mean", "first", "pooler"] | None = None


class Classification(Task):
    """Softmax over labels from one pooled vector a text.

    Args:
        labels: names, in the order of the head's outputs.
        pooling: `mean`, `first` or `pooler`.
        max_length: the most tokens a text may have, special tokens included.
    """

    name = "classification"
    Options = ClassificationOptions
    text_columns = ("text",)
    target_columns = ("label",)
    axes = {"label": "example"}  # noqa: RUF012
    main_metric = "accuracy"

    def __init__(self, labels: list[str], pooling: str, max_length: int):
        self.labels = LabelSet(labels)
        self.pooling = pooling
        self.max_length = max_length

    @classmethod
    def from_data(
        cls, chunks: Iterable[Rows], options: ClassificationOptions, default_pooling: str, max_length: int
    ) -> "Classification":
        """A task over the labels that occur in the rows."""
        labels = LabelSet.discover(name for rows in chunks for name in cls.strata(rows))
        return cls(labels.names, options.pooling or default_pooling, max_length)

    @classmethod
    def strata(cls, rows: Rows) -> list[str]:
        """The labels."""
        return [label_text(value, rows.where(i)) for i, value in enumerate(rows.columns["label"])]

    def to_json(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"labels": self.labels.names, "pooling": self.pooling, "max_length": self.max_length}

    @property
    def num_outputs(self) -> int:
        """One logit a label."""
        return len(self.labels.names)

    @property
    def uses_pooler(self) -> bool:
        """Whether the backbone's pooler takes part."""
        return self.pooling == "pooler"

    def asset_files(self) -> dict[str, list[str]]:
        """`labels.txt`, in the order of the head's outputs."""
        return {"labels.txt": self.labels.names}

    def targets(self, rows: Rows) -> dict[str, np.ndarray]:
        """`label`: `(examples,)` int32."""
        return {"label": self.labels.indices(rows.columns["label"], rows.where)}

    def features(self, tokenizer: WordPieceTokenizer, columns: dict[str, Tensor]) -> Sequences:
        """[CLS] text [SEP], cut at `max_length`."""
        return single(tokenizer.tokenize(columns["text"]), tokenizer.vocabulary, self.max_length)

    def forward(self, view: ModelView, batch: TokenBatch, rate: float = 0.0, key: Key | None = None) -> dict:
        """`logits`: `(examples, labels)` float32."""
        hidden = encode(view.encoder, batch, rate, key)  # (tokens, hidden)
        pooled = pool(view.encoder, batch, hidden, self.pooling)  # (examples, hidden)
        pooled = dropout(pooled, rate, None if key is None else key.fold(HEAD_SITE))
        return {"logits": view.head(pooled)}

    def loss(self, outputs: dict[str, Tensor], batch: TokenBatch) -> tuple[Tensor, Tensor]:
        """Cross-entropy in nats, `(examples,)`, each of weight 1."""
        logits = outputs["logits"]
        label = ops.one_hot(batch.features["label"], self.num_outputs, dtype="float32")
        losses = -ops.sum(label * ops.log_softmax(logits, axis=-1), axis=-1)
        return losses, ops.ones_like(losses)

    def divisor(self, batch: TokenBatch) -> Tensor:
        """The number of examples."""
        return ops.cast(batch.num_examples, "float32")

    def metrics(self) -> Metrics:
        """Accuracy, macro and micro F1, Matthews correlation."""
        return ClassificationMetrics(self.labels.names)

    def answer(self, outputs: dict[str, Tensor], top_k: int | None = None) -> dict[str, Tensor]:
        """`label`, `score` `(examples,)`; `labels`, `scores` `(examples, top_k)`, best first.

        `top_k` is all labels up to 20 of them, else 5.
        """
        import tensorflow as tf

        count = self.num_outputs
        top_k = min(top_k or (count if count <= ALL_LABELS_UP_TO else TOP_K_OF_MANY), count)
        scores, indices = tf.math.top_k(tf.nn.softmax(outputs["logits"]), k=top_k)
        labels = tf.gather(tf.constant(self.labels.names), indices)
        return {"label": labels[:, 0], "score": scores[:, 0], "labels": labels, "scores": scores}


class ClassificationMetrics:
    """scikit-learn's accuracy, F1 and Matthews correlation over all examples given."""

    names = ("accuracy", "macro_f1", "micro_f1", "mcc")

    def __init__(self, labels: list[str]):
        self.index = {label.encode(): number for number, label in enumerate(labels)}
        self.predicted: list[int] = []
        self.expected: list[int] = []

    def update(self, answers: dict[str, np.ndarray], targets: dict[str, np.ndarray]) -> None:
        """Add a batch of `answer`s and their `label` targets."""
        self.predicted += [self.index[label] for label in answers["label"]]
        self.expected += targets["label"].tolist()

    def result(self) -> dict[str, float]:
        """`accuracy`, `macro_f1`, `micro_f1`, `mcc`."""
        from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef

        pair = (self.expected, self.predicted)
        return {
            "accuracy": float(accuracy_score(*pair)),
            "macro_f1": float(f1_score(*pair, average="macro", zero_division=0)),
            "micro_f1": float(f1_score(*pair, average="micro", zero_division=0)),
            "mcc": float(matthews_corrcoef(*pair)),
        }
