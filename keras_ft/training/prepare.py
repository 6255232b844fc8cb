"""From data files to the tokenized arrays of each split, once; a resumed run finds them where they are."""

import dataclasses
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keras_ft.data.arrays import TokenArrays
from keras_ft.data.fingerprint import fingerprint
from keras_ft.data.rows import Rows
from keras_ft.data.split import stratified_split
from keras_ft.errors import RequestError
from keras_ft.presets.pretrained import Pretrained
from keras_ft.recipe import DataSection, Recipe, check_options, suggest
from keras_ft.tasks.base import Task
from keras_ft.tasks.encode import encode_rows, read_examples
from keras_ft.tasks.registry import describe, rebuild, task_class
from keras_ft.tasks.samples import choose_samples, write_samples

MARKER = "prepared.json"  # written last: without it `data/` holds nothing


@dataclass
class Prepared:
    """The data of a run, ready to be batched.

    Attributes:
        task: knows its labels.
        splits: `train`, `validation` and, where the recipe has one, `test`.
        fingerprint: of all that the arrays were made from.
    """

    task: Task
    splits: dict[str, TokenArrays]
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
    limit = pretrained.backbone.max_sequence_length
    if data.max_length > limit:
        raise RequestError(f"data.max_length is {data.max_length}; backbone {pretrained.name} has {limit} positions")
    mark = _fingerprint(recipe, pretrained)
    found = _open(folder, mark)
    if found:
        return found
    rows = _read_splits(kind, data, recipe.train.seed)
    task = kind.from_data(rows["train"], options, pretrained.pooling, data.max_length)
    targets = {name: task.targets(split) for name, split in rows.items()}  # refuse bad labels before any work
    marker = folder / MARKER
    marker.unlink(missing_ok=True)
    splits = {}
    for name, split in rows.items():
        tell(f"Tokenizing {name}: {len(split):,} examples")
        chunks = encode_rows(task, pretrained.tokenizer, split, targets[name])
        splits[name] = TokenArrays.write(folder / name, mark, chunks, task.axes)
    write_samples(choose_samples(rows["validation"], task.text_columns), folder)
    description = {"fingerprint": mark, "task": describe(task), "splits": list(splits)}
    scratch = marker.with_suffix(".writing")
    scratch.write_text(json.dumps(description, ensure_ascii=False) + "\n", encoding="utf-8")
    scratch.replace(marker)
    return Prepared(task, splits, mark)


def check_task(recipe: Recipe) -> tuple[type[Task], Any]:
    """The task's class and options.

    Raises:
        RequestError: the task, one of its options or one of its columns is unknown.
    """
    kind = task_class(recipe.task.name)
    options = check_options(f"task {kind.name}", recipe.task.options, kind.Options)
    known = [*kind.text_columns, *kind.target_columns]
    for name in recipe.data.columns:
        if name not in known:
            raise RequestError(f"data.columns: task {kind.name} has no column '{name}'; {suggest(name, known)}")
    return kind, options


def _files(data: DataSection) -> dict[str, list[str]]:
    files = {"train": data.train}
    if isinstance(data.validation, list):
        files["validation"] = data.validation
    return files | ({"test": data.test} if data.test else {})


def _fingerprint(recipe: Recipe, pretrained: Pretrained) -> str:
    files = _files(recipe.data)
    settings = {
        "task": recipe.task.model_dump(mode="json"),
        "data": recipe.data.model_dump(mode="json"),
        "seed": recipe.train.seed,
        "tokenizer": pretrained.tokenizer.fingerprint(),
        "pooling": pretrained.pooling,
        "arithmetic": dataclasses.asdict(pretrained.config),
    }
    return fingerprint([Path(name) for names in files.values() for name in names], settings)


def _open(folder: Path, mark: str) -> Prepared | None:
    try:
        description = json.loads((folder / MARKER).read_text(encoding="utf-8"))
        if description["fingerprint"] != mark:
            return None
        splits = {name: TokenArrays.open(folder / name, mark) for name in description["splits"]}
        task = rebuild(description["task"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    opened = {name: arrays for name, arrays in splits.items() if arrays is not None}
    return Prepared(task, opened, mark) if len(opened) == len(splits) else None


def _read_splits(kind: type[Task], data: DataSection, seed: int) -> dict[str, Rows]:
    rows = {name: read_examples(kind, files, data.columns) for name, files in _files(data).items()}
    if isinstance(data.validation, float):
        whole = rows["train"]
        train, validation = stratified_split(kind.strata(whole), data.validation, seed)
        rows["train"], rows["validation"] = whole.select(train), whole.select(validation)
    return rows
