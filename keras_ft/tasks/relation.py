"""The relation of two entities in a text: classification of the text with both marked."""

from collections.abc import Iterable
from typing import Any

from keras import ops

from keras_ft.batch import TokenBatch
from keras_ft.data.rows import Rows
from keras_ft.errors import RequestError
from keras_ft.layers.task_model import ModelView
from keras_ft.tasks.base import Metrics
from keras_ft.tasks.classification import Classification
from keras_ft.tasks.classification_options import ClassificationOptions
from keras_ft.tasks.relation_metrics import RelationMetrics
from keras_ft.tasks.relation_options import RelationOptions, negative_label
from keras_ft.tasks.relation_rows import MARKER, marked, marked_row, unmarked
from keras_ft.tasks.relation_window import NUM_SPECIAL, framed
from keras_ft.text.assemble import Sequences
from keras_ft.text.entity_pair import from_marked, from_spans
from keras_ft.text.load import Tokenizer

Tensor = Any
OFFSETS = ("head_start", "head_end", "tail_start", "tail_end")
NOWHERE = dict.fromkeys(OFFSETS, -1)


class Relation(Classification):
    """Softmax over relations from the states of the markers before two entities ("entity start").

    Baldini Soares et al. 2019, arXiv:1906.03158. A request whose entities cannot be told has the label "" and the
    score 0.

    Args:
        negative_label: the label that says that there is no relation, if one does; metrics do not look for it.
        others: as `Classification` has them; `pooling` is one of `POOLINGS`.
    """

    name = "relation"
    Options = RelationOptions
    file_columns = ("text", "head", "tail", "label")
    optional_columns = ("head", "tail")
    axes = {"label": "example", "entity_places": "sequence"}  # noqa: RUF012
    num_special = NUM_SPECIAL
    main_metric = "f1"

    def __init__(self, *others: Any, negative_label: str | None = None, **named: Any):
        super().__init__(*others, **named)
        self.negative_label = negative_label

    @classmethod
    def from_data(
        cls, chunks: Iterable[Rows], options: ClassificationOptions, default_pooling: str | None, max_length: int
    ) -> "Relation":
        """A task over the labels that occur in the rows."""
        task = super().from_data(chunks, options, None, max_length)
        assert isinstance(task, Relation)
        assert isinstance(options, RelationOptions)
        task.negative_label = negative_label(options.negative_label, task.labels.names)
        return task

    @classmethod
    def framing(cls, options: Any, max_length: int) -> "Relation":
        """A task that frames texts as one of these options would; it has no labels."""
        return cls([], options.pooling, max_length)

    @classmethod
    def read_row(cls, values: dict[str, Any], where: str) -> dict[str, Any]:
        """The row with its entities marked in the text."""
        return marked_row(values, where)

    @classmethod
    def without_marks(cls, text: str) -> str:
        """The text without its markers."""
        return MARKER.sub("", text)

    def to_json(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().to_json(), "negative_label": self.negative_label}

    def head_inputs(self, hidden_dim: int) -> int:
        """The states of two markers, and one more vector where the pooling has it."""
        return hidden_dim * (2 if self.pooling == "markers" else 3)

    def features(self, tokenizer: Tokenizer, columns: dict[str, Tensor]) -> Sequences:
        """Marked `text`, or `text` with the entities' offsets, framed with marker tokens round the entities."""
        offsets = [columns[name] for name in OFFSETS if name in columns]
        pairs = from_spans(columns["text"], *offsets) if offsets else from_marked(columns["text"])
        return framed(pairs, tokenizer, self.max_length)

    def pooled(self, view: ModelView, batch: TokenBatch, hidden: Tensor) -> Tensor:
        """Head's and tail's markers one behind the other, and what else the pooling has."""
        places = ops.maximum(batch.features["entity_places"], 0)
        states = batch.at(hidden, places)  # (sequences, 2, hidden)
        parts = [states[:, 0], states[:, 1]]
        if self.pooling != "markers":
            parts.append(batch.first(hidden) if self.pooling == "markers_first" else batch.mean(hidden))
        return ops.concatenate(parts, axis=-1)  # (sequences, head_inputs)

    def metrics(self) -> Metrics:
        """See `relation_scores`; with a threshold what it leaves and how good that is."""
        return RelationMetrics(self.labels.names, self.negative_label, self.score_threshold is not None)

    def answer(
        self,
        outputs: dict[str, Tensor],
        batch: TokenBatch | None = None,
        texts: dict[str, Tensor] | None = None,
        top_k: int | None = None,
    ) -> dict[str, Tensor]:
        """As `Classification.answer`; where the entities could not be told, labels are "" and scores 0."""
        import tensorflow as tf

        found = super().answer(outputs, batch, texts, top_k)
        if batch is None:
            return found
        told = batch.features["entity_places"][:, 0] >= 0  # (examples,)

        def only(values: Tensor) -> Tensor:
            return tf.where(told if len(values.shape) == 1 else told[:, None], values, tf.zeros_like(values))

        return {name: only(values) for name, values in found.items()}

    def other_requests(self) -> dict[str, dict[str, Any]]:
        """`spans`: a text without markers, and where its entities stand."""
        import tensorflow as tf

        offsets = {name: tf.TensorSpec([None], tf.int32, name) for name in OFFSETS}
        return {"spans": {"text": tf.TensorSpec([None], tf.string, "text"), **offsets}}

    def as_other_requests(self, name: str, requests: dict[str, list]) -> dict[str, list]:
        """Marked texts as texts with offsets."""
        rows = [_with_offsets(text) for text in requests["text"]]
        return {column: [row[column] for row in rows] for column in ("text", *OFFSETS)}

    def hard_requests(self, texts: list[str]) -> dict[str, list]:
        """The texts as they are, which have no entities, and with both their halves marked, the second as the head."""
        halves = [(text, len(text) // 2) for text in texts if len(text) > 1]
        both = [marked(text, (half, len(text)), (0, half)) for text, half in halves]
        return {"text": [*texts, *both]}


def _with_offsets(text: str) -> dict[str, Any]:
    try:
        plain, head, tail = unmarked(text)
    except RequestError:
        return {"text": text, **NOWHERE}
    return {"text": plain, **dict(zip(OFFSETS, (*head, *tail), strict=True))}
