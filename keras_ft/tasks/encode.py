"""Rows of a task → chunks of token arrays, tokenized in parallel by the task's own `features`."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tensorflow as tf

from keras_ft.data.rows import Rows, read_rows
from keras_ft.tasks.base import Task
from keras_ft.text.assemble import Sequences
from keras_ft.text.wordpiece import WordPieceTokenizer

TEXTS_AT_ONCE = 512


def read_examples(task: Task | type[Task], files: list[str], columns: dict[str, str]) -> Rows:
    """The rows of data files, with the text and target columns that a task wants.

    Args:
        task: names its columns.
        files: read one behind the other.
        columns: the task's column → the file's; a column not named here has the same name in the file.

    Raises:
        RequestError: a file, a column or a value is wrong.
    """
    wanted = [*task.text_columns, *task.target_columns]
    mapping = {name: columns.get(name, name) for name in wanted}
    return read_rows([Path(name) for name in files], mapping, wanted, task.text_columns)


def encode_rows(
    task: Task, tokenizer: WordPieceTokenizer, rows: Rows, targets: dict[str, np.ndarray]
) -> Iterator[dict[str, np.ndarray]]:
    """Chunks for `TokenArrays.write`, in the order of the rows.

    Args:
        task: frames the tokens.
        tokenizer: of the backbone.
        rows: with the task's text columns.
        targets: what `task.targets(rows)` gave, passed on beside the tokens.
    """
    columns = {name: [text.encode("utf-8") for text in rows.columns[name]] for name in task.text_columns}
    texts = tf.data.Dataset.from_tensor_slices(columns).batch(TEXTS_AT_ONCE)
    encoded = texts.map(lambda batch: _flat(task.features(tokenizer, batch)), num_parallel_calls=tf.data.AUTOTUNE)
    start = 0
    for chunk in encoded.prefetch(2).as_numpy_iterator():
        stop = start + len(chunk["lengths"])
        yield chunk | {name: values[start:stop] for name, values in targets.items()}
        start = stop


def _flat(sequences: Sequences) -> dict[str, tf.Tensor]:
    return {
        "ids": sequences.ids.flat_values,
        "lengths": sequences.ids.row_lengths(),
        "segments": tf.cast(sequences.segments.flat_values, tf.uint8),
    }
