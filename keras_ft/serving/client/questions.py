"""A question for each task: how its inputs are named, and how its answer is read."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_ft.errors import RequestError, WorkError
from keras_ft.serving.client.answers import Answer, Classification, Entity, Hit, Multilabel, Score, Written
from keras_ft.serving.client.errors import ServingError
from keras_ft.serving.client.request import Columns

CLASS_FIELDS = ("label", "score", "labels", "scores", "truncated")
SCORE_FIELDS = ("score", "truncated")
SETTINGS = {
    "max_new_tokens": np.int32,
    "temperature": np.float32,
    "top_k": np.int32,
    "top_p": np.float32,
    "seed": np.int32,
}

Texts = Any
"""Texts: a list, an array or a Series of `str` (or bytes of UTF-8)."""


@dataclass(frozen=True)
class Question:
    """What a task is asked.

    Attributes:
        task: for the error.
        inputs: by name, one row an example.
        fields: that the answer must have.
        read: inputs and answer of some rows → an answer a row.
        signature_name: `serving_default` where None.
    """

    task: str
    inputs: Columns
    fields: tuple[str, ...]
    read: Callable[[Columns, Columns], list[Any]]
    signature_name: str | None = None

    def answers(self, model: str, inputs: Columns, outputs: Any) -> list[Any]:
        """The answers of a chunk; raises `WorkError` where they are not those of the task."""
        if not isinstance(outputs, Mapping) and len(self.fields) == 1:
            outputs = {self.fields[0]: outputs}  # the API drops the name of an only output
        found = sorted(outputs) if isinstance(outputs, Mapping) else []
        missing = [name for name in self.fields if name not in found]
        if missing:
            told = f"it has {', '.join(found)}" if found else "it is a single tensor"
            raise WorkError(f"{model} is no model for {self.task}: its answer has no '{missing[0]}'; {told}")
        return self.read(inputs, {name: values(outputs[name]) for name in self.fields})

    def refusal(self, model: str, error: ServingError) -> ServingError:
        """The error of a request; of a wrong one it also says what was asked, for the model may be of another task."""
        if error.status != 400:
            return error
        return ServingError(400, f"{error.message} ({model} was asked as a model for {self.task})")


def classification(texts: Texts) -> Question:
    """Of a text, or of a relation whose members are marked."""
    return Question("classification", {"text": text_list(texts, "texts")}, CLASS_FIELDS, _classifications)


def classification_of_pairs(texts_a: Texts, texts_b: Texts) -> Question:
    """Of two texts."""
    return Question("pair", _pairs(texts_a, texts_b), CLASS_FIELDS, _classifications)


def relation(texts: Texts, heads: Any = None, tails: Any = None) -> Question:
    """Of two members, marked in the text or given as (start, end)."""
    if heads is None and tails is None:
        return Question("relation", {"text": text_list(texts, "texts")}, CLASS_FIELDS, _classifications)
    if heads is None or tails is None:
        raise RequestError("heads and tails go together; give both, or mark the members in the texts")
    inputs: dict[str, Any] = {"text": text_list(texts, "texts")}
    for name, spans in (("head", heads), ("tail", tails)):
        offsets = np.asarray(values(spans), np.int32).reshape(len(spans), -1)
        if len(spans) and offsets.shape[1] != 2:
            raise RequestError(f"{name}s should be (start, end) of each text")
        ends = offsets.reshape(-1, 2)
        inputs |= {f"{name}_start": ends[:, 0], f"{name}_end": ends[:, 1]}
    return Question("relation", inputs, CLASS_FIELDS, _classifications, "spans")


def multilabel(texts: Texts) -> Question:
    """All labels of a text."""
    fields = ("labels", "scores", "predicted", "truncated")

    def read(_: Columns, found: Columns) -> list[Multilabel]:
        return [
            Multilabel(
                tuple(label for label, is_over in zip(labels, predicted, strict=True) if is_over),
                tuple(labels),
                tuple(scores),
                truncated,
            )
            for labels, scores, predicted, truncated in _rows(found, fields)
        ]

    return Question("multilabel", {"text": text_list(texts, "texts")}, fields, read)


def tagging(texts: Texts) -> Question:
    """The entities of a text."""
    fields = ("start", "end", "label", "score")

    def read(inputs: Columns, found: Columns) -> list[list[Entity]]:
        return [
            [
                Entity(start, end, label, score, _as_str(text)[start:end])
                for start, end, label, score in zip(*row, strict=True)
                if start >= 0
            ]
            for text, row in zip(inputs["text"], _rows(found, fields), strict=True)
        ]

    return Question("tagging", {"text": text_list(texts, "texts")}, fields, read)


def answering(questions: Texts, contexts: Texts) -> Question:
    """A piece of a context."""
    inputs = {"question": text_list(questions, "questions"), "context": text_list(contexts, "contexts")}
    fields = ("answer", "start", "end", "score", "no_answer_score", "truncated")
    return Question("span_qa", inputs, fields, lambda _, found: [Answer(*row) for row in _rows(found, fields)])


def embedding(texts: Texts) -> Question:
    """Vectors; an answer is one of them."""

    def read(_: Columns, found: Columns) -> list[np.ndarray]:
        return list(np.asarray(found["embedding"], np.float32))

    return Question("embedding", {"text": text_list(texts, "texts")}, ("embedding",), read)


def search(texts: Texts, k: int | None = None) -> Question:
    """The nearest texts of an index; ten of them where k is None."""
    rows = text_list(texts, "texts")
    inputs = {"text": rows, "k": np.full(len(rows), -1 if k is None else k, np.int32)}
    fields = ("ids", "texts", "scores")

    def read(_: Columns, found: Columns) -> list[list[Hit]]:
        return [[Hit(*hit) for hit in zip(*row, strict=True) if hit != ("", "", -1.0)] for row in _rows(found, fields)]

    return Question("embedding with an index", inputs, fields, read, "search")


def regression(texts: Texts) -> Question:
    """A number for a text."""
    return Question("regression", {"text": text_list(texts, "texts")}, SCORE_FIELDS, _scores)


def regression_of_pairs(texts_a: Texts, texts_b: Texts) -> Question:
    """A number for two texts."""
    return Question("regression", _pairs(texts_a, texts_b), SCORE_FIELDS, _scores)


def writing(prompts: Texts, sources: Texts, turns: Any, settings: Mapping[str, Any]) -> Question:
    """Text that goes on from a prompt, that comes of a source, or that replies.

    Arguments:
        prompts, sources, turns: one of them.
        settings: by the names of `SETTINGS`, for all texts or for each; None is the recipe's.
    """
    given = {"prompt": prompts, "source": sources, "turns": turns}
    names = [name for name, value in given.items() if value is not None]
    if len(names) != 1:
        raise RequestError(f"give prompts, sources or turns, one of them; given {' and '.join(names) or 'none'}")
    name = names[0]
    rows = _dialogues(turns) if name == "turns" else text_list(given[name], f"{name}s")
    asked = _settings(settings, len(rows))
    fields = ("text", "num_tokens", "score", "truncated")
    return Question(
        "writing",
        {name: rows, **asked},
        fields,
        lambda _, found: [Written(*row) for row in _rows(found, fields)],
        "sample" if asked else None,
    )


def text_list(texts: Texts, what: str) -> list[str | bytes]:
    """Texts as a list; raises `RequestError` for anything else."""
    if isinstance(texts, str | bytes):
        raise RequestError(f"{what} should be a list of texts, given one text; put it into a list")
    found = values(texts)
    for i, text in enumerate(found):
        if not isinstance(text, str | bytes):
            raise RequestError(f"{what}[{i}] should be a text, given {text!r}")
    return found


def values(column: Any) -> list[Any]:
    """A column, an array or a Series as nested lists."""
    return column.tolist() if hasattr(column, "tolist") else list(column) if _is_sequence(column) else column


def _settings(given: Mapping[str, Any], count: int) -> dict[str, np.ndarray]:
    """What the signature `sample` takes, −1 for the recipe's; nothing where nothing is given."""
    if all(value is None for value in given.values()):
        return {}
    columns = {}
    for name, dtype in SETTINGS.items():
        value = given.get(name)
        array = np.asarray(-1 if value is None else values(value), dtype)
        if array.shape not in ((), (count,)):
            raise RequestError(f"{name} should be a number, or one for each of {count} texts")
        columns[name] = np.broadcast_to(array, count)
    return columns


def _is_sequence(column: Any) -> bool:
    return isinstance(column, Sequence) and not isinstance(column, str | bytes)


def _classifications(_: Columns, found: Columns) -> list[Classification]:
    return [
        Classification(label, score, tuple(labels), tuple(scores), truncated)
        for label, score, labels, scores, truncated in _rows(found, CLASS_FIELDS)
    ]


def _scores(_: Columns, found: Columns) -> list[Score]:
    return [Score(*row) for row in _rows(found, SCORE_FIELDS)]


def _rows(found: Columns, fields: tuple[str, ...]) -> list[tuple[Any, ...]]:
    return list(zip(*(found[name] for name in fields), strict=True))


def _pairs(texts_a: Texts, texts_b: Texts) -> dict[str, list[str | bytes]]:
    return {"text_a": text_list(texts_a, "texts_a"), "text_b": text_list(texts_b, "texts_b")}


def _dialogues(turns: Any) -> list[list[str | bytes]]:
    """Of equal length, as a tensor wants it: models skip empty turns."""
    rows = [text_list(row, f"turns[{i}]") for i, row in enumerate(values(turns))]
    longest = max(map(len, rows), default=0)
    return [row + [""] * (longest - len(row)) for row in rows]


def _as_str(text: str | bytes) -> str:
    return text if isinstance(text, str) else text.decode("utf-8", "replace")
