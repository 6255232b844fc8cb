"""`keras-ft predict`: answers of a run, or of an export, to texts."""

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from keras_ft.data.readers import find_sources
from keras_ft.data.rows import Columns, read_chunks
from keras_ft.errors import RequestError
from keras_ft.evaluation.predictor import Predictor, to_records
from keras_ft.paths import AnyPath, exists
from keras_ft.run_folder import RunFolder
from keras_ft.tasks.model import load_model

TEXTS_AT_ONCE = 64
Answer = Callable[[dict[str, list]], dict[str, np.ndarray]]


@dataclass(frozen=True)
class _Model:
    """What answers.

    Attributes:
        answer: text columns → answers.
        texts: the names of the columns that hold a string in each row.
        lists: of those that hold a list of strings.
        mapping: the file's names for them.
    """

    answer: Answer
    texts: list[str]
    lists: list[str]
    mapping: dict[str, str]

    @property
    def names(self) -> list[str]:
        return [*self.texts, *self.lists]


def predict(model: AnyPath, texts: list[str], file: str | Path | None) -> Iterator[dict[str, Any]]:
    """Answers in the order of the inputs, one JSON-able dict each.

    Args:
        model: a run folder, `MODELS/NAME` or `MODELS/NAME/N`.
        texts: given on the command line; for tasks of one text.
        file: a data file with the task's text columns; it is read twice, so that a bad row is refused at once.

    Raises:
        RequestError: neither or both of texts and file, no such model, or a bad file.
    """
    if bool(texts) == bool(file):
        raise RequestError("give either --text (once or more) or --input FILE")
    if not exists(model):
        raise RequestError(f"no such folder: {model}; give a run folder or an export (MODELS/NAME/N)")
    opened = _open(model)
    if file is None:
        return _answers(opened.answer, _given(opened, texts))
    for _ in _read(file, opened):
        pass
    return _answers(opened.answer, _read(file, opened))


def _answers(answer: Answer, chunks: Iterable[dict[str, list]]) -> Iterator[dict[str, Any]]:
    for columns in chunks:
        yield from map(without_padding, to_records(answer(columns)))


def without_padding(answer: dict[str, Any]) -> dict[str, Any]:
    """An answer that lists entities or triples (`start`, `head_start` …) without what pads it to others' length."""
    starts = answer.get("start", answer.get("head_start"))
    if not isinstance(starts, list) or "label" not in answer:
        return answer
    count = sum(start >= 0 for start in starts)
    return {name: value[:count] if isinstance(value, list) else value for name, value in answer.items()}


def _open(model: AnyPath) -> _Model:
    if exists(f"{os.fspath(model)}/recipe.yaml"):
        run = RunFolder.opened(model)
        trained = load_model(run.model)
        lists = list(trained.task.list_columns)
        names = [name for name in trained.task.text_columns if name not in lists]
        return _Model(Predictor(trained), names, lists, run.read_recipe().data.columns)
    from keras_ft.serving.models.session_model import SessionModel
    from keras_ft.serving.models.version_folders import fetched, find_version
    from keras_ft.serving.status import StatusError

    folder = fetched(find_version(model).folder)
    try:
        session = SessionModel(folder)
    except StatusError as error:
        raise RequestError(f"{folder} cannot be loaded: {error.message}") from None
    signature = session.signatures.get("serving_default")
    if signature is None or any(spec.dtype != "string" for spec in signature.inputs.values()):
        raise RequestError(
            f"{folder} has no signature serving_default that takes strings; 'keras-ft export' writes one"
        )
    lists = [name for name, spec in signature.inputs.items() if len(spec.shape or ()) == 2]

    def answer(columns: dict[str, list]) -> dict[str, np.ndarray]:
        return session.predict("serving_default", {name: _as_bytes(values) for name, values in columns.items()})

    return _Model(answer, [name for name in signature.inputs if name not in lists], lists, {})


def _as_bytes(values: list) -> np.ndarray:
    """`(rows,)`, or of lists `(rows, longest)` with empty strings behind their ends."""
    if not any(isinstance(value, list) for value in values):
        return np.array([value.encode() for value in values], object)
    found = np.full((len(values), max(map(len, values))), b"", object)
    for row, value in zip(found, values, strict=True):
        row[: len(value)] = [text.encode() for text in value]
    return found


def _given(model: _Model, texts: list[str]) -> Iterator[dict[str, list]]:
    if len(model.names) > 1:
        raise RequestError(f"this model reads {' and '.join(model.names)}; give them in a file with --input")
    for start in range(0, len(texts), TEXTS_AT_ONCE):
        chunk = texts[start : start + TEXTS_AT_ONCE]
        yield {model.names[0]: [[text] for text in chunk] if model.lists else chunk}  # a text: a list of one


def _read(file: str | Path, model: _Model) -> Iterator[dict[str, list]]:
    names = {name: model.mapping.get(name, name) for name in model.names}
    columns = Columns(names, required=model.names, texts=model.texts, lists=model.lists)
    for rows in read_chunks(find_sources(file, split="test"), columns, rows_at_once=TEXTS_AT_ONCE):
        yield rows.columns
