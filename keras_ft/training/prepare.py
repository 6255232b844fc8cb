"""From data files to the tokenized arrays of each split, once; a resumed run finds them where they are.

    DATA/train/ …               arrays of every row of data.train, likewise validation/ and test/
    DATA/train_rows.npy         where data.validation is a fraction: which rows are trained on,
    DATA/validation_rows.npy    and which are held out
    DATA/samples.json           a few texts of validation
    DATA/prepared.json          written last: without it the folder holds nothing

The files are read twice: first to refuse what is wrong, learn the labels and divide the rows, then to tokenize. Memory
use does not grow with the files, but for a few bytes a row.
"""

import dataclasses
import json
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from keras_ft.data.array_writer import write_arrays
from keras_ft.data.arrays import Arrays, TokenArrays
from keras_ft.data.fingerprint import fingerprint
from keras_ft.data.malformed import Skipped, refusal
from keras_ft.data.progress import tracked
from keras_ft.data.readers import Source
from keras_ft.data.rows import Rows, pick_rows
from keras_ft.data.sources import sources_of
from keras_ft.data.split import stratified_split
from keras_ft.errors import RequestError
from keras_ft.paths import write_whole
from keras_ft.presets.pretrained import Pretrained
from keras_ft.recipe import DataSection, Recipe
from keras_ft.tasks.base import Task
from keras_ft.tasks.encode import Chunk, encode, read_examples, skip_rows
from keras_ft.tasks.registry import check_backbone, check_task, describe, rebuild
from keras_ft.tasks.samples import choose_samples, write_samples

MARKER = "prepared.json"
Tell = Callable[[str], None]


@dataclass
class Prepared:
    """The data of a run, ready to be batched.

    Attributes:
        task: knows its labels.
        splits: the examples of `train`, `validation` and, where the recipe has one, `test`.
        sources: what each split was made from.
        fingerprint: of all that the arrays were made from.
    """

    task: Task
    splits: dict[str, Arrays]
    sources: dict[str, list[Source]]
    fingerprint: str


def prepare(recipe: Recipe, pretrained: Pretrained, folder: Path, tell: Callable[[str], None]) -> Prepared:
    """Read, split and tokenize the data of a recipe, or open what an earlier call left in `folder`.

    Args:
        recipe: names files, columns and limits.
        pretrained: its tokenizer and its default pooling.
        folder: the run's `data/`.
        tell: is given a line for the user.

    Raises:
        RequestError: a file, a column or a label is wrong, or `max_length` exceeds the backbone's positions.
    """
    data = recipe.data
    kind, options = check_task(recipe)
    check_backbone(kind, pretrained)
    limit = pretrained.backbone.max_sequence_length
    if data.max_length > limit:
        raise RequestError(f"data.max_length is {data.max_length}; backbone {pretrained.name} has {limit} positions")
    sources = sources_of(data, kind.division(options))
    mark = _fingerprint(recipe, pretrained, sources)
    split_sources = {"validation": sources["train"], **sources}
    found = _open(folder, mark)
    if found:
        return _prepared(*found, split_sources, mark)
    (folder / MARKER).unlink(missing_ok=True)
    folder.mkdir(parents=True, exist_ok=True)
    survey = _Survey(kind)
    chunks = survey.watched(_read(kind, sources["train"], data, "Reading train", tell))
    task = kind.from_data(chunks, options, pretrained.pooling, data.max_length)
    counts = {"train": len(survey)}
    for name in [name for name in sources if name != "train"]:  # refuse bad labels before any work
        counts[name] = sum(_checked(task, rows) for rows in _read(kind, sources[name], data, f"Reading {name}", tell))
    held_out = isinstance(data.validation, float)
    if isinstance(data.validation, float):
        parts = stratified_split(survey.groups(), data.validation, recipe.train.seed)
        for name, part in zip(("train", "validation"), parts, strict=True):
            np.save(folder / f"{name}_rows.npy", part)
    for name, total in counts.items():
        if TokenArrays.open(folder / name, mark) is None:
            chunks_from = _tokenized(task, pretrained, sources[name], data, name, total, tell)
            write_arrays(folder / name, mark, chunks_from, task.axes, task.several_sequences, task.kept_texts)
    description = {"fingerprint": mark, "task": describe(task), "held_out": held_out, "splits": sorted(split_sources)}
    splits = _open_splits(folder, description)
    _write_samples(task, splits["validation"], split_sources["validation"], data, folder)
    write_whole(folder / MARKER, json.dumps(description, ensure_ascii=False) + "\n")
    return _prepared(task, splits, split_sources, mark)


def open_prepared(folder: Path, fingerprint: str) -> Prepared | None:
    """What `prepare` left in `folder`, without its sources, or None where it is not there or another."""
    found = _open(folder, fingerprint)
    return _prepared(*found, {}, fingerprint) if found else None


def _prepared(task: Task, rows: dict[str, TokenArrays], sources: dict[str, list[Source]], mark: str) -> Prepared:
    """What is there once every split's rows are tokenized.

    Raises:
        RequestError: a split's rows make no example.
    """
    splits = {name: task.examples(arrays) for name, arrays in rows.items()}
    for name, examples in splits.items():
        if not examples.num_examples:
            raise RequestError(f"data.{name} is too short to learn from: it should have more than one token")
    return Prepared(task, splits, sources, mark)


def _checked(task: Task, rows: Rows) -> int:
    """How many rows there are, all with targets that the task knows (else a RequestError)."""
    task.targets(rows)
    return len(rows)


class _Survey:
    """What the first reading of the training rows leaves behind: the stratum of each, as a number."""

    def __init__(self, kind: type[Task]) -> None:
        self._kind = kind
        self._numbers: dict[Hashable, int] = {}
        self._codes: list[np.ndarray] = []

    def __len__(self) -> int:
        return sum(map(len, self._codes))

    def watched(self, chunks: Iterator[Rows]) -> Iterator[Rows]:
        for rows in chunks:
            strata = self._kind.strata(rows)
            numbers = [self._numbers.setdefault(stratum, len(self._numbers)) for stratum in strata]
            self._codes.append(np.array(numbers, dtype=np.int32))
            yield rows

    def groups(self) -> np.ndarray:
        """`(rows,)` integers: rows of one group are held out in proportion."""
        codes = np.concatenate(self._codes)
        return self._kind.groups(list(self._numbers), np.bincount(codes))[codes]


def _read(kind: type[Task], sources: list[Source], data: DataSection, what: str, tell: Tell) -> Iterator[Rows]:
    skipped = Skipped()
    refuse = refusal(data.malformed) if data.malformed == "refuse" else skipped
    yield from tracked(read_examples(kind, sources, data.columns, refuse), what, tell)
    skipped.report(what.removeprefix("Reading "), tell)


def _tokenized(
    task: Task, pretrained: Pretrained, sources: list[Source], data: DataSection, name: str, total: int, tell: Tell
) -> Callable[[int], Iterator[Chunk]]:
    """What `write_arrays` asks for the chunks behind those that it has."""

    def chunks_from(start: int) -> Iterator[Chunk]:
        resumed = f", going on behind {start:,}" if start else ""
        tell(f"Tokenizing {name}: {total:,} examples{resumed}")
        rows = skip_rows(read_examples(task, sources, data.columns, refusal(data.malformed)), start)
        chunks = encode(task, pretrained.tokenizer, rows)
        return tracked(chunks, f"Tokenizing {name}", tell, total, start, size=lambda chunk: len(chunk["lengths"]))

    return chunks_from


def _write_samples(task: Task, arrays: TokenArrays, sources: list[Source], data: DataSection, folder: Path) -> None:
    rows = arrays.rows[choose_samples(arrays.num_examples)]
    texts = pick_rows(read_examples(task, sources, data.columns, refusal(data.malformed)), rows)
    write_samples(task.requests(texts), folder)


def _fingerprint(recipe: Recipe, pretrained: Pretrained, sources: dict[str, list[Source]]) -> str:
    settings = {
        "sources": {split: [[source.name, source.unit] for source in found] for split, found in sources.items()},
        "task": recipe.task.model_dump(mode="json"),
        "data": recipe.data.model_dump(mode="json"),
        "seed": recipe.train.seed,
        "tokenizer": pretrained.tokenizer.fingerprint(),
        "pooling": pretrained.pooling,
        "arithmetic": dataclasses.asdict(pretrained.config),
    }
    return fingerprint([source for found in sources.values() for source in found], settings)


def _open(folder: Path, mark: str) -> tuple[Task, dict[str, TokenArrays]] | None:
    try:
        description = json.loads((folder / MARKER).read_text(encoding="utf-8"))
        if description["fingerprint"] != mark:
            return None
        return rebuild(description["task"]), _open_splits(folder, description)
    except (OSError, EOFError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _open_splits(folder: Path, description: dict[str, Any]) -> dict[str, TokenArrays]:
    """The arrays of each split; a ValueError if one is absent or damaged."""
    splits = {}
    for name in description["splits"]:
        shared = description["held_out"] and name == "validation"
        arrays = TokenArrays.open(folder / ("train" if shared else name), description["fingerprint"])
        if arrays is None:
            raise ValueError(f"the arrays of {name} are damaged")
        if description["held_out"] and name != "test":
            arrays = arrays.select(_row_numbers(folder / f"{name}_rows.npy", arrays.num_examples))
        splits[name] = arrays
    return splits


def _row_numbers(path: Path, limit: int) -> np.ndarray:
    rows = np.load(path)
    if len(rows) and not 0 <= rows.min() <= rows.max() < limit:
        raise ValueError(f"{path} names rows that are not there")
    return rows
