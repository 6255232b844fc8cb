"""Rows of a task → chunks of token arrays, tokenized in parallel by the task's own `features`."""

from collections.abc import Callable, Iterable, Iterator

import numpy as np
import tensorflow as tf

from keras_ft.data.readers import Source
from keras_ft.data.rows import Columns, Refuse, Rows, raise_at_once, read_chunks
from keras_ft.data.threads import in_threads
from keras_ft.tasks.base import Task
from keras_ft.text.load import Tokenizer

Chunk = dict[str, np.ndarray]
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
    wanted = [*task.feature_columns, *task.target_columns]
    names = {name: columns.get(name, name) for name in wanted}
    required = [name for name in wanted if name not in task.optional_columns]
    texts = [name for name in task.feature_columns if name not in task.list_columns]
    return read_chunks(sources, Columns(names, required, texts, task.list_columns), refuse, rows_at_once)


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

    def __call__(self, rows: Rows) -> Chunk:
        """Raises RequestError where a target is wrong."""
        columns = {name: strings(rows.columns.get(name), len(rows)) for name in self.task.feature_columns}
        ids, lengths, segments = (tensor.numpy() for tensor in self._features(columns))
        return {"ids": ids, "lengths": lengths, "segments": segments, **self.task.targets(rows)}


def _compiled(task: Task, tokenizer: Tokenizer) -> Callable[..., tuple[tf.Tensor, ...]]:
    shapes = {name: [None, None] if name in task.list_columns else [None] for name in task.feature_columns}

    @tf.function(
        autograph=False, input_signature=[{name: tf.TensorSpec(shape, tf.string) for name, shape in shapes.items()}]
    )
    def features(columns: dict[str, tf.Tensor]) -> tuple[tf.Tensor, ...]:
        sequences = task.features(tokenizer, columns)
        ids, segments = sequences.ids, sequences.segments
        return ids.flat_values, ids.row_lengths(), tf.cast(segments.flat_values, tf.uint8)

    return features


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
