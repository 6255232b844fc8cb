"""`keras-ft predict`: answers of a run, or of an export, to texts."""

import os
from collections.abc import Callable, Iterable, Iterator
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
Answer = Callable[[dict[str, list[str]]], dict[str, np.ndarray]]


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
    names, answer, mapping = _open(model)
    if file is None:
        return _answers(answer, _given(names, texts))
    for _ in _read(file, names, mapping):
        pass
    return _answers(answer, _read(file, names, mapping))


def _answers(answer: Answer, chunks: Iterable[dict[str, list[str]]]) -> Iterator[dict[str, Any]]:
    for columns in chunks:
        yield from to_records(answer(columns))


def _open(model: AnyPath) -> tuple[list[str], Answer, dict[str, str]]:
    """The names of the text columns, the answering function, and the file's names for the columns."""
    if exists(f"{os.fspath(model)}/recipe.yaml"):
        run = RunFolder.opened(model)
        trained = load_model(run.model)
        mapping = run.read_recipe().data.columns
        return list(trained.task.text_columns), Predictor(trained), mapping
    from keras_ft.serving.models import find_version
    from keras_ft.serving.session_model import SessionModel
    from keras_ft.serving.status import StatusError

    folder = find_version(model).folder
    try:
        session = SessionModel(folder)
    except StatusError as error:
        raise RequestError(f"{folder} cannot be loaded: {error.message}") from None
    signature = session.signatures.get("serving_default")
    if signature is None or any(spec.dtype != "string" for spec in signature.inputs.values()):
        raise RequestError(
            f"{folder} has no signature serving_default that takes strings; 'keras-ft export' writes one"
        )
    names = list(signature.inputs)

    def answer(columns: dict[str, list[str]]) -> dict[str, np.ndarray]:
        inputs = {name: np.array([t.encode() for t in texts], object) for name, texts in columns.items()}
        return session.predict("serving_default", inputs)

    return names, answer, {}


def _given(names: list[str], texts: list[str]) -> Iterator[dict[str, list[str]]]:
    if len(names) > 1:
        raise RequestError(f"this model reads {' and '.join(names)}; give them in a file with --input")
    for start in range(0, len(texts), TEXTS_AT_ONCE):
        yield {names[0]: texts[start : start + TEXTS_AT_ONCE]}


def _read(file: str | Path, names: list[str], mapping: dict[str, str]) -> Iterator[dict[str, list[str]]]:
    columns = Columns({name: mapping.get(name, name) for name in names}, required=names, texts=names)
    for rows in read_chunks(find_sources(file, split="test"), columns, rows_at_once=TEXTS_AT_ONCE):
        yield rows.columns
