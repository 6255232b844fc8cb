"""Rows of a task → chunks of token arrays, tokenized in parallel by the task's own `features`."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import tensorflow as tf

from keras_ft.data.readers import Source
from keras_ft.data.rows import Columns, Refuse, Rows, raise_at_once, read_chunks
from keras_ft.data.threads import in_threads
from keras_ft.tasks.base import Task
from keras_ft.text.load import Tokenizer

Chunk = dict[str, Any]
STRUCTURE = ("ids", "lengths", "segments", "sequences", "window_start")
TEXTS_AT_ONCE = 1024


def read_examples(
    task: Task | type[Task],
    sources: list[Source],
    columns: dict[str, str],
    refuse: Refuse = raise_at_once,
    rows_at_once: int = TEXTS_AT_ONCE,
) -> Iterator[Rows]:
    """The rows of sources, with the feature and target columns that a task wants, so many at once.

    Args:
        task: names its columns.
        sources: read one behind the other.
        columns: the task's column → the file's; a column not named here has the same name in the file.
        refuse, rows_at_once: as `read_chunks` takes them.

    Raises:
        RequestError: a file, a column or a value is wrong.
    """
    wanted = task.reads()
    names = {name: columns.get(name, name) for name in wanted}
    required = [name for name in wanted if name not in task.optional_columns]
    texts = [name for name in task.feature_columns if name in wanted and name not in task.list_columns]
    lists = [name for name in task.list_columns if name in wanted]
    wishes = Columns(names, required, texts, lists, task.read_row, task.blank_columns)
    return read_chunks(sources, wishes, refuse, rows_at_once)


def encode(task: Task, tokenizer: Tokenizer, chunks: Iterable[Rows]) -> Iterator[Chunk]:
    """Chunks for `write_arrays`: as many as there are of rows, in their order, with the task's targets.

    Reading stays in this thread while others tokenize, a few chunks ahead of the consumer.

    Args:
        task: frames the tokens and knows the targets.
        tokenizer: of the backbone.
        chunks: with the task's columns.

    Raises:
        RequestError: a target is wrong.
    """
    for _, chunk in in_threads(Encoder(task, tokenizer), chunks):
        yield chunk


def skip_rows(chunks: Iterable[Rows], count: int) -> Iterator[Rows]:
    """The chunks without their first `count` rows."""
    for rows in chunks:
        if count >= len(rows):
            count -= len(rows)
        elif count:
            yield rows.select(range(count, len(rows)))
            count = 0
        else:
            yield rows


class Encoder:
    """Rows → a chunk of arrays; threads may share it.

    Args:
        task: frames the tokens and knows the targets.
        tokenizer: of the backbone.
    """

    def __init__(self, task: Task, tokenizer: Tokenizer):
        self.task = task
        self._features = _compiled(task, tokenizer)

    def framed(self, rows: Rows) -> Chunk:
        """What `features` makes of the rows, flat, with the names of `STRUCTURE`; no targets."""
        columns = {name: strings(rows.columns.get(name), len(rows)) for name in self.task.feature_columns}
        return {name: tensor.numpy() for name, tensor in self._features(columns).items()}

    def __call__(self, rows: Rows) -> Chunk:
        """Raises RequestError where a target is wrong."""
        found = self.framed(rows)
        aligned = self.task.aligned_targets(rows, found)
        found = {name: values for name, values in found.items() if name in STRUCTURE or name in self.task.axes}
        return {**found, **self.task.targets(rows), **aligned, **self.task.texts_to_keep(rows)}


def _compiled(task: Task, tokenizer: Tokenizer) -> Callable[..., dict[str, tf.Tensor]]:
    shapes = {name: [None, None] if name in task.list_columns else [None] for name in task.feature_columns}

    @tf.function(
        autograph=False, input_signature=[{name: tf.TensorSpec(shape, tf.string) for name, shape in shapes.items()}]
    )
    def features(columns: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        sequences = task.features(tokenizer, columns)
        ids, segments = sequences.ids, sequences.segments
        found = {
            "ids": ids.flat_values,
            "lengths": ids.row_lengths(),
            "segments": tf.cast(segments.flat_values, tf.uint8),
            **sequences.features,
        }
        if task.several_sequences:
            counts, start = sequences.counts, sequences.window_start
            found["sequences"] = tf.ones_like(found["lengths"]) if counts is None else counts
            found["window_start"] = tf.zeros_like(found["lengths"], tf.int32) if start is None else start
        return found

    return features


def tensors(specs: Mapping[str, tf.TensorSpec], columns: Mapping[str, list]) -> dict[str, tf.Tensor]:
    """The inputs of a signature, of lists of strings, of lists of them, or of numbers, by name."""
    return {
        name: strings(columns[name]) if spec.dtype == tf.string else tf.constant(columns[name], spec.dtype)
        for name, spec in specs.items()
    }


def strings(values: list | None, count: int | None = None) -> tf.Tensor:
    """A column as a tensor: "" where a row has none, and behind the end of lists that are shorter than others.

    Args:
        values: strings, or lists of strings; None where no row has any.
        count: of rows, where `values` is None.
    """
    if values is None:
        return tf.fill([count], "")
    if any(isinstance(value, list) for value in values):
        return tf.ragged.constant(values, tf.string, ragged_rank=1).to_tensor("")
    return tf.constant([value or "" for value in values], tf.string)
