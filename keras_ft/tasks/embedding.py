"""A vector for a text, near those of texts that mean the same."""

from collections.abc import Hashable, Iterable, Sequence
from typing import Any

import numpy as np
from keras import ops

from keras_ft.batch import TokenBatch
from keras_ft.data.number_labels import quantile_groups
from keras_ft.data.rows import Rows
from keras_ft.errors import RequestError
from keras_ft.layers.contrastive import cosine, ranking_loss, triplet_loss, unit
from keras_ft.layers.encoder import encode, pool
from keras_ft.layers.random import Key
from keras_ft.layers.task_model import ModelView
from keras_ft.presets.family import ENCODERS
from keras_ft.tasks.answering import AnsweringTask
from keras_ft.tasks.base import Metrics
from keras_ft.tasks.embedding_metrics import EmbeddingMetrics, crowding, labels_of, ranks
from keras_ft.tasks.embedding_options import COLUMNS, MEASURES, EmbeddingOptions, Kind, Loss, Measure, loss_for
from keras_ft.tasks.embedding_places import Places, candidate_mask
from keras_ft.tasks.embedding_rows import TEXTS, check_kinds, checked_row, kind_of, text_keys
from keras_ft.text.assemble import Sequences, single
from keras_ft.text.load import Tokenizer

Tensor = Any
MAIN_METRICS: dict[Measure, str] = {"similarity": "spearman", "retrieval": "mrr", "uniformity": "uniformity"}


class Embedding(AnsweringTask):
    """The encoder's tokens pooled to one vector a text; there is no head.

    An example is one to three texts, each a sequence of its own; a request is one text.

    Args:
        kind: what the rows of the training data are.
        loss, measure: see `EmbeddingOptions`.
        pooling: `mean`, `first` or `pooler`.
        max_length: the most tokens a text may have, special tokens included.
        normalize, scale, margin: see `EmbeddingOptions`.
        label_range: the labels that stand for nothing and everything in common; None without labels.
    """

    name = "embedding"
    Options = EmbeddingOptions
    text_columns = ("text",)
    feature_columns = TEXTS
    target_columns = ("label",)
    file_columns = (*TEXTS, "label")
    optional_columns = file_columns
    axes = {"label": "example", "text_key": "example"}  # noqa: RUF012
    families = ENCODERS
    several_sequences = texts_apart = True
    num_outputs = None

    def __init__(
        self,
        kind: Kind,
        loss: Loss,
        measure: Measure,
        pooling: str,
        max_length: int,
        normalize: bool = True,
        scale: float = 20.0,
        margin: float = 0.2,
        label_range: list[float] | None = None,
    ):
        self.kind, self.loss_name, self.measure = kind, loss, measure
        self.pooling, self.max_length, self.normalize = pooling, max_length, normalize
        self.scale, self.margin, self.label_range = scale, margin, label_range
        self.main_metric = MAIN_METRICS[measure]

    @classmethod
    def from_data(
        cls, chunks: Iterable[Rows], options: EmbeddingOptions, default_pooling: str | None, max_length: int
    ) -> "Embedding":
        """A task for the columns that the rows have, and the range of their labels.

        Raises:
            RequestError: rows have not all the same columns, they do not suit the options, or all labels are the same.
        """
        kind: Kind | None = None
        because, labels = "", [np.inf, -np.inf]
        for rows in chunks:
            if kind is None:
                kind = kind_of(rows, 0)
                because = f"{rows.where(0)}, the first row of data.train, has {COLUMNS[kind]}"
            check_kinds(rows, (kind,), because)
            if kind == "scored":
                found = rows.columns["label"]
                labels = [min(labels[0], *found), max(labels[1], *found)]
        if kind is None:
            raise RequestError("the training data have no rows")
        loss, measure = loss_for(kind, options.loss), options.measure or MEASURES[kind]
        if measure != MEASURES[kind] and kind != "texts":
            raise RequestError(f"task embedding: rows with {COLUMNS[kind]} measure {MEASURES[kind]}, not {measure}")
        label_range = list(options.label_range or labels) if kind == "scored" else None
        if label_range and label_range[0] == label_range[1]:
            raise RequestError(f"all training rows have the label {label_range[0]:g}; different ones are needed")
        return cls(
            kind,
            loss,
            measure,
            options.pooling,
            max_length,
            options.normalize,
            options.scale,
            options.margin,
            label_range,
        )

    @classmethod
    def read_row(cls, values: dict[str, Any], where: str) -> dict[str, Any]:
        """The row with its label as a number; refuses columns that do not go together."""
        return checked_row(values, where)

    @classmethod
    def strata(cls, rows: Rows) -> list[Hashable]:
        """The labels of rows that have one."""
        labels = rows.columns.get("label", [None] * len(rows))
        return ["" if label is None else label for label in labels]

    @classmethod
    def groups(cls, strata: Sequence[Hashable], counts: np.ndarray) -> np.ndarray:
        """Labels of a tenth of the rows together."""
        if not all(isinstance(value, float) for value in strata):
            return np.zeros(len(strata), np.int64)
        return quantile_groups(np.array(strata, np.float64), counts)

    def to_json(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            "kind": self.kind,
            "loss": self.loss_name,
            "measure": self.measure,
            "pooling": self.pooling,
            "max_length": self.max_length,
            "normalize": self.normalize,
            "scale": self.scale,
            "margin": self.margin,
            "label_range": self.label_range,
        }

    @property
    def uses_pooler(self) -> bool:
        """Whether the backbone's pooler takes part."""
        return self.pooling == "pooler"

    @property
    def contrasts_examples(self) -> bool:
        """Whether the other examples of a micro-batch are what an example is told apart from."""
        return self.loss_name in ("ranking", "simcse")

    def requests(self, columns: dict[str, list]) -> dict[str, list]:
        """The first text of each row."""
        none = [None] * len(next(iter(columns.values())))
        pairs = zip(columns.get("text", none), columns.get("text_a", none), strict=True)
        return {"text": [text or text_a for text, text_a in pairs]}

    def targets(self, rows: Rows) -> dict[str, np.ndarray]:
        """`label`: `(examples,)` float32, NaN where there is none; `text_key`: see `text_keys`."""
        measured = tuple(kind for kind, measure in MEASURES.items() if measure == self.measure)
        because = f"the model learns from rows with {COLUMNS[self.kind]} and is measured by {self.measure}"
        check_kinds(rows, tuple(dict.fromkeys((self.kind, *measured))), because)
        labels = rows.columns.get("label", [None] * len(rows))
        label = np.array([np.nan if value is None else value for value in labels], np.float32)
        return {"label": label, "text_key": text_keys(rows, twice=self.loss_name == "simcse")}

    def features(self, tokenizer: Tokenizer, columns: dict[str, Tensor]) -> Sequences:
        """[CLS] text [SEP] for each text, or as the backbone frames it, cut; for SimCSE a text alone comes twice."""
        import tensorflow as tf

        if "text_a" not in columns:
            return single(tokenizer.tokenize(columns["text"]), tokenizer.vocabulary, self.max_length)
        first = tf.where(columns["text"] == "", columns["text_a"], columns["text"])
        second = columns["text_b"]
        if self.loss_name == "simcse":
            second = tf.where(second == "", first, second)
        texts = tf.stack([first, second, columns["text_c"]], axis=1)  # (examples, places)
        there = (texts != "") | (tf.range(3) == 0)
        found = single(
            tokenizer.tokenize(tf.boolean_mask(texts, there)), tokenizer.vocabulary, self.max_length
        )  # (sequences, …)
        counts = tf.reduce_sum(tf.cast(there, tf.int64), axis=1)
        truncated = tf.RaggedTensor.from_row_lengths(found.truncated, counts, validate=False)
        return Sequences(found.ids, found.segments, tf.reduce_any(truncated, axis=1), counts)

    def forward(self, view: ModelView, batch: TokenBatch, rate: float = 0.0, key: Key | None = None) -> dict:
        """`vectors`: `(sequences, hidden)` float32."""
        hidden = encode(view.backbone, batch, rate, key)  # (tokens, hidden)
        pooled = pool(view.backbone, batch, hidden, self.pooling)  # (sequences, hidden)
        return {"vectors": ops.cast(pooled, "float32")}

    def loss(self, outputs: dict[str, Tensor], batch: TokenBatch) -> tuple[Tensor, Tensor]:
        """What the option `loss` says, `(examples,)`; negatives are the other examples of this micro-batch alone."""
        if not self.contrasts_examples:
            return self.evaluation_loss(outputs, batch)
        of_place = Places(outputs["vectors"], batch)
        candidates = [of_place(1), *([of_place(2)] if self.kind == "triplets" else [])]
        mask = candidate_mask(batch, len(candidates))
        losses = ranking_loss(of_place(0), ops.concatenate(candidates), mask, self.scale)
        return losses, batch.example_weights

    def evaluation_loss(self, outputs: dict[str, Tensor], batch: TokenBatch) -> tuple[Tensor, Tensor]:
        """A loss that does not depend on other examples, `(examples,)`.

        The squared error of the cosine; the triplet loss; else the cosine distance of the two texts, which without
        drop-out is 0 for SimCSE's.
        """
        of_place = Places(outputs["vectors"], batch)
        if self.loss_name == "triplet":
            losses = triplet_loss(of_place(0), of_place(1), of_place(2), self.margin)
        elif self.loss_name == "cosine":
            losses = ops.square(cosine(of_place(0), of_place(1)) - self._wanted(batch.features["label"]))
        else:
            losses = 1.0 - cosine(of_place(0), of_place(1))
        return losses, batch.example_weights

    def kept(self, outputs: dict[str, Tensor], batch: TokenBatch) -> dict[str, Tensor]:
        """`embedding` `(examples, hidden)` of the first text, and what its metrics need of the others."""
        of_place = Places(outputs["vectors"], batch)
        first = of_place(0)
        found = {"embedding": unit(first) if self.normalize else first}
        if self.measure == "uniformity":
            return found
        found["similarity"] = cosine(first, of_place(1))
        if self.measure == "retrieval":
            found["positive"] = unit(of_place(1))
        if self.kind == "triplets":
            found["negative_similarity"] = cosine(first, of_place(2))
        return found

    def metrics(self) -> Metrics:
        """Those of what is measured."""
        return EmbeddingMetrics(self.measure, triplets=self.kind == "triplets")

    def answer(
        self, outputs: dict[str, Tensor], batch: TokenBatch, texts: dict[str, Tensor], top_k: int | None = None
    ) -> dict[str, Tensor]:
        """`embedding` `(examples, hidden)` float32."""
        return {"embedding": outputs["embedding"]}

    def record(
        self,
        outputs: dict[str, np.ndarray],
        answers: dict[str, np.ndarray],
        targets: dict[str, np.ndarray],
        losses: np.ndarray,
    ) -> dict[str, np.ndarray]:
        """`loss`, and all that is kept; `whole_record` makes numbers of the vectors."""
        label = {"label": targets["label"]} if self.measure == "similarity" else {}
        return {**outputs, **label, "text_key": targets["text_key"], "loss": losses.astype(np.float32)}

    def whole_record(self, columns: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """`similarity` and `label`; or `rank` (from 1), `similarity` and, of triplets, `negative_similarity`; or
        `crowding`. And `loss`."""
        found = {name: values for name, values in columns.items() if name not in ("embedding", "positive", "text_key")}
        if self.measure == "similarity":
            labels_of(columns)
        elif self.measure == "retrieval":
            found["rank"] = ranks(columns)
        else:
            found["crowding"] = crowding(columns["embedding"])
        return found

    def _wanted(self, label: Tensor) -> Tensor:
        """The cosine that a label stands for: from 0 to 1, or from −1 where the range of labels begins below 0."""
        assert self.label_range is not None
        low, high = self.label_range
        share = (label - low) / (high - low)
        return 2.0 * share - 1.0 if low < 0 else share
