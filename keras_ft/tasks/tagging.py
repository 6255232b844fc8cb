"""Entities in a text: names, places, dates, whatever is marked."""

import json
from collections.abc import Hashable, Iterable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from keras import ops

from keras_ft.batch import TokenBatch
from keras_ft.data.label_lists import groups_by_rarest_label
from keras_ft.data.rows import Rows
from keras_ft.errors import RequestError
from keras_ft.layers.crf import NEVER, Transitions, best_tags, log_marginals, negative_log_likelihood
from keras_ft.layers.cross_entropy import cross_entropy
from keras_ft.layers.encoder import encode
from keras_ft.layers.random import Key, dropout
from keras_ft.layers.task_model import ModelView
from keras_ft.layers.word_grid import WordGrid
from keras_ft.presets.family import ENCODERS
from keras_ft.tasks.answering import AnsweringTask
from keras_ft.tasks.base import Metrics
from keras_ft.tasks.entity_rows import COLUMNS, read_entity_row
from keras_ft.tasks.entity_spans import entity_spans
from keras_ft.tasks.tag_schemes import Entity, first_tag, forbidden, tag_names
from keras_ft.tasks.tagging_metrics import TaggingMetrics, compare, counts
from keras_ft.tasks.tagging_options import TaggingOptions, stride_of
from keras_ft.text.assemble import Sequences, single_in_windows
from keras_ft.text.load import Tokenizer
from keras_ft.text.word_tokens import first_tokens, is_best_context
from keras_ft.text.words_of_text import WordFinder

Tensor = Any
HEAD_SITE = 1_000_003  # a drop-out site number apart from the encoder's
WHOLE = 1 << 30  # tokens: a long text is not cut
MISTAKES_KEPT = 8  # of an example, of each kind


class Tagging(AnsweringTask):
    """A BIO tag for each word of a text, decoded so that no sequence comes out which BIO does not allow.

    Words are found in the text itself (`keras_ft.text.words_of_text`); the first token of each speaks for it. Long
    texts are cut into overlapping windows, and each word is taken from the window where it has the most context on its
    nearer side, in training too.

    Args:
        labels: of the entities, in the order of their tags.
        max_length: tokens in a window, special tokens included.
        crf: whether tags are learned together with their neighbours.
        stride: tokens that two windows share.
    """

    name = "tagging"
    Options = TaggingOptions
    text_columns = feature_columns = ("text",)
    target_columns = ("entities", "words")
    file_columns = optional_columns = COLUMNS
    kept_texts = ("entities", "words")
    families = ENCODERS
    several_sequences = True
    axes = {"word_start": "token", "start": "token", "end": "token", "tag": "token"}  # noqa: RUF012
    output_axes = {"tag": "token", "log_score": "token"}  # noqa: RUF012
    main_metric = "f1"

    def __init__(self, labels: list[str], max_length: int, crf: bool, stride: int):
        self.labels = labels
        self.max_length, self.crf, self.stride = max_length, crf, stride
        self._words = WordFinder()
        self._numbers = {label: number for number, label in enumerate(labels)}

    @classmethod
    def from_data(
        cls, chunks: Iterable[Rows], options: TaggingOptions, default_pooling: str | None, max_length: int
    ) -> "Tagging":
        """A task over the labels that occur in the rows."""
        labels = {label for rows in chunks for entities in rows.columns["entities"] for _, _, label in entities}
        if not labels:
            raise RequestError("task tagging: the training data mark no entity; at least one is needed")
        return cls(sorted(labels), max_length, options.crf, stride_of(options, max_length))

    @classmethod
    def read_row(cls, values: dict[str, Any], where: str) -> dict[str, Any]:
        """A row of tokens and tags, or of a text and its entities."""
        return read_entity_row(values, where)

    @classmethod
    def cut_at(cls, options: TaggingOptions, max_length: int) -> int:
        """Nowhere: long texts become several windows."""
        return WHOLE

    @classmethod
    def strata(cls, rows: Rows) -> list[tuple[str, ...]]:
        """The labels that occur in each row."""
        return [tuple(sorted({label for _, _, label in found})) for found in rows.columns["entities"]]

    @classmethod
    def groups(cls, strata: Sequence[Hashable], counts: np.ndarray) -> np.ndarray:
        """By the rarest of their labels, so that each label is held out in proportion."""
        return groups_by_rarest_label(strata, counts)

    def to_json(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"labels": self.labels, "max_length": self.max_length, "crf": self.crf, "stride": self.stride}

    @property
    def num_outputs(self) -> int:
        """One logit a tag."""
        return 1 + 2 * len(self.labels)

    def extra_weights(self) -> dict[str, tuple[int, ...]]:
        """Of a random field: `transitions`, as `Transitions.unpacked` takes them."""
        return {"transitions": (self.num_outputs + 2, self.num_outputs)} if self.crf else {}

    def asset_files(self) -> dict[str, list[str]]:
        """`labels.txt`, and `tags.txt` in the order of the head's outputs."""
        return {"labels.txt": self.labels, "tags.txt": tag_names(self.labels)}

    def targets(self, rows: Rows) -> dict[str, np.ndarray]:
        """Nothing along examples; refuses labels that training did not see."""
        for i, entities in enumerate(rows.columns["entities"]):
            for _, _, label in entities:
                if label not in self._numbers:
                    known = ", ".join(f"'{name}'" for name in self.labels[:10])
                    raise RequestError(
                        f"{rows.where(i)}: the training data have no entity with label '{label}'; known are {known}"
                    )
        return {}

    def aligned_targets(self, rows: Rows, chunk: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """`tag`: `(tokens,)` uint8 or uint16; a word that an entity has a part of is a word of it."""
        words = np.flatnonzero(chunk["word_start"])
        starts, ends = chunk["start"][words], chunk["end"][words]
        example = np.repeat(np.repeat(np.arange(len(rows)), chunk["sequences"]), chunk["lengths"])[words]
        bounds = np.searchsorted(example, np.arange(len(rows) + 1))
        tags = np.zeros(len(words), np.uint8 if self.num_outputs < 256 else np.uint16)
        for i, entities in enumerate(rows.columns["entities"]):
            first, last = bounds[i], bounds[i + 1]
            self._mark(tags[first:last], starts[first:last], ends[first:last], entities)
        of_tokens = np.zeros(len(chunk["ids"]), tags.dtype)
        of_tokens[words] = tags
        return {"tag": of_tokens}

    def texts_to_keep(self, rows: Rows) -> dict[str, list[str]]:
        """`entities` and `words` of each row, as JSON; `words` is empty where a row has a text."""
        entities = [json.dumps(found, ensure_ascii=False) for found in rows.columns["entities"]]
        words = rows.columns.get("words") or [None] * len(rows)
        return {"entities": entities, "words": [json.dumps(found) if found else "" for found in words]}

    def features(self, tokenizer: Tokenizer, columns: dict[str, Tensor]) -> Sequences:
        """[CLS] text [SEP], of long texts several; `word_start`, `start` and `end` of each word on its first token."""
        ids, starts, ends = tokenizer.tokenize_with_offsets(columns["text"])
        found = first_tokens(self._words(columns["text"]), starts, ends)
        sequences, windows, source = single_in_windows(ids, tokenizer.vocabulary, self.max_length, self.stride)
        window = sequences.ids.value_rowids()  # (tokens,)
        text = tf.gather(windows.text, window)
        place = source - tf.gather(tf.cast(ids.row_starts(), tf.int64), text)
        inside = (source >= 0) & is_best_context(windows, window, place)

        def taken(values: Tensor) -> Tensor:
            padded = tf.concat([values, tf.zeros([1], values.dtype)], 0)
            return tf.gather(padded, tf.where(inside, source, tf.size(values, tf.int64)))

        features = {"word_start": taken(found.is_first), "start": taken(found.starts), "end": taken(found.ends)}
        return Sequences(
            sequences.ids, sequences.segments, sequences.truncated, sequences.counts, sequences.window_start, features
        )

    def forward(self, view: ModelView, batch: TokenBatch, rate: float = 0.0, key: Key | None = None) -> dict:
        """`logits`: `(tokens, tags)` float32; of a random field also its `transitions`, `(tags + 2, tags)`."""
        hidden = encode(view.backbone, batch, rate, key)  # (tokens, hidden)
        hidden = dropout(hidden, rate, None if key is None else key.fold(HEAD_SITE))
        outputs = {"logits": view.head(hidden)}
        return {**outputs, "transitions": view.extra["transitions"]} if self.crf else outputs

    def loss(self, outputs: dict[str, Tensor], batch: TokenBatch) -> tuple[Tensor, Tensor]:
        """Nats by word and their weights, `(tokens,)`; of a random field they add up to those of a text's tags."""
        is_word, tags = batch.features["word_start"], ops.cast(batch.features["tag"], "int32")
        weights = ops.cast(is_word, "float32") * batch.weights_of_tokens()
        if not self.crf:
            return cross_entropy(outputs["logits"], tags), weights
        grid = WordGrid.of(batch, is_word)
        logits, tags = grid.laid_out(outputs["logits"]), grid.laid_out(tags)
        return grid.of_tokens(negative_log_likelihood(logits, tags, self._transitions(outputs), grid)), weights

    def evaluation_loss(self, outputs: dict[str, Tensor], batch: TokenBatch) -> tuple[Tensor, Tensor]:
        """The mean over each example's words, `(examples,)`, and how many they are."""
        losses, _ = self.loss(outputs, batch)
        ones = ops.cast(batch.features["word_start"], "float32")
        words = batch.sum_of_examples(batch.sum_of_sequences(ones))
        total = batch.sum_of_examples(batch.sum_of_sequences(losses * ones))
        return total / ops.maximum(words, 1.0), words * batch.example_weights

    def divisor(self, batch: TokenBatch) -> Tensor:
        """The number of words of the examples that count."""
        return ops.sum(ops.cast(batch.features["word_start"], "float32") * batch.weights_of_tokens())

    def kept(self, outputs: dict[str, Tensor], batch: TokenBatch) -> dict[str, Tensor]:
        """`tag` int32, the best sequence that BIO allows, and `log_score`, the log-probability of each, `(tokens,)`."""
        grid = WordGrid.of(batch, batch.features["word_start"])
        logits = grid.laid_out(outputs["logits"])  # (lanes, steps, tags)
        transitions = self._transitions(outputs)
        if self.crf:
            tags, logs = best_tags(logits, transitions, grid), log_marginals(logits, transitions, grid)
        else:
            tags, logs = _allowed_tags(logits, transitions, grid), ops.log_softmax(logits, axis=-1)
        scores = ops.take_along_axis(logs, tags[:, :, None], axis=-1)[:, :, 0]
        return {"tag": grid.of_tokens(tags), "log_score": grid.of_tokens(scores)}

    def metrics(self) -> Metrics:
        """Precision, recall and F1 of entities."""
        return TaggingMetrics(self.labels)

    def answer(
        self, outputs: dict[str, Tensor], batch: TokenBatch, texts: dict[str, Tensor], top_k: int | None = None
    ) -> dict[str, Tensor]:
        """`start`, `end`, `label`, `score` of each entity, in their order; see `entity_spans`."""
        return entity_spans(batch, outputs["tag"], outputs["log_score"], self.labels)

    def record(
        self,
        outputs: dict[str, np.ndarray],
        answers: dict[str, np.ndarray],
        targets: dict[str, Any],
        losses: np.ndarray,
    ) -> dict[str, np.ndarray]:
        """`hits`, `predicted` and `gold`, all and by label; `missed` and `wrong` entities, a few; `loss`.

        The last two are `(examples, few, 3)`: start, end and number of the label, −1 where there are fewer.
        """
        compared = compare(answers, targets)
        by_label = counts(compared, self.labels)
        return {
            **{name: table.sum(axis=1) for name, table in by_label.items()},
            **{f"{name}_by_label": table for name, table in by_label.items()},
            "missed": self._table([row.missed for row in compared]),
            "wrong": self._table([row.wrong for row in compared]),
            "loss": losses.astype(np.float32),
        }

    def _transitions(self, outputs: dict[str, Tensor]) -> Transitions:
        """Those learned, where there are any, with what BIO forbids."""
        at_first, between = (
            ops.convert_to_tensor(NEVER * mask.astype("float32")) for mask in forbidden(len(self.labels))
        )
        if not self.crf:
            return Transitions(between, at_first, ops.zeros_like(at_first))
        learned = Transitions.unpacked(outputs["transitions"])
        return Transitions(learned.between + between, learned.first + at_first, learned.last)

    def _mark(self, tags: np.ndarray, starts: np.ndarray, ends: np.ndarray, entities: Iterable[Entity]) -> None:
        """Set the tags of a text's words; the first entity has a word that two have a part of."""
        taken = 0
        for start, end, label in entities:
            first = max(taken, int(np.searchsorted(ends, start, side="right")))
            last = int(np.searchsorted(starts, end, side="left"))
            if first < last:
                tags[first:last] = first_tag(self._numbers[label]) + 1
                tags[first] -= 1
                taken = last

    def _table(self, rows: list[list[Entity]]) -> np.ndarray:
        table = np.full((len(rows), MISTAKES_KEPT, 3), -1, np.int32)
        for i, entities in enumerate(rows):
            for k, (start, end, label) in enumerate(entities[:MISTAKES_KEPT]):
                table[i, k] = start, end, self._numbers[label]
        return table


def _allowed_tags(logits: Tensor, transitions: Transitions, grid: WordGrid) -> Tensor:
    """The best tags by word where BIO allows them, which is nearly always, else the best sequence that it allows."""
    best = ops.cast(ops.argmax(logits, axis=-1), "int32")  # (lanes, steps)
    before = ops.pad(best[:, :-1], ((0, 0), (1, 0)))
    size = logits.shape[-1]
    weight = ops.where(
        grid.begins,
        ops.take(transitions.first, best),
        ops.take(ops.reshape(transitions.between, (-1,)), before * size + best),
    )
    is_allowed = ops.all(ops.logical_or(weight >= 0, ops.logical_not(grid.is_word)))
    return ops.cond(is_allowed, lambda: best, lambda: best_tags(logits, transitions, grid))
