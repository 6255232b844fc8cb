"""A recipe, before hours are spent on it: are its keys known and its files there, and does its backbone open?"""

import re
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

from keras_ft.data.readers import find_sources
from keras_ft.doctor.finding import Finding, bad, note, ok
from keras_ft.doctor.resources import nearest_folder, why_not_writable
from keras_ft.errors import KerasFTError, RequestError
from keras_ft.paths import is_remote
from keras_ft.presets.hubs import HF, KAGGLE
from keras_ft.presets.wheels import WHEELS, is_fetched
from keras_ft.recipe import Recipe, suggest
from keras_ft.recipe_file import load_recipe
from keras_ft.run_folder import RunFolder


def recipe_paths(path: Path, out: str | None) -> Iterator[Finding]:
    """Look at all that a recipe names.

    Args:
        path: the YAML file.
        out: the run folder it would be trained into, if that is to be tried too.
    """
    try:
        recipe = load_recipe(path)
    except RequestError as error:
        yield _refused(error)
        return
    yield ok(f"{path} is a recipe: every key is known")
    task = yield from _task(recipe)
    for split, files in _data_files(recipe).items():
        for name in files:
            yield from _data_file(split, name, _columns(task, recipe))
    yield from _backbone(recipe)
    if out is not None:
        yield _run_folder(recipe, out)


def _task(recipe: Recipe) -> Generator[Finding, None, Any]:
    from keras_ft.tasks.registry import check_task

    try:
        task, _ = check_task(recipe)
    except RequestError as error:
        yield _refused(error)
        return None
    yield ok(f"task {task.name}: its options and columns are known")
    return task


def _columns(task: Any, recipe: Recipe) -> dict[str, str]:
    names = task.reads() if task else []
    return {name: recipe.data.columns.get(name, name) for name in names}


def _data_files(recipe: Recipe) -> dict[str, list[str]]:
    data = recipe.data
    validation = data.validation if isinstance(data.validation, list) else []
    return {"train": data.train, "validation": validation, "test": data.test or []}


def _data_file(split: str, name: str, columns: dict[str, str]) -> Iterator[Finding]:
    """Open what a name stands for and read its first record."""
    if re.match(r"\w+:", name):
        yield note(f"{split}: {name} is not a local file, and was not opened")
        return
    try:
        for source in find_sources(name):
            number, record = next(source.records())
            if isinstance(record, RequestError):
                raise record
            where = f"{source.name} {source.unit} {number}"
            yield _missing_column(where, record, columns) or ok(f"{split}: {source.name} opens{_with(columns)}")
    except RequestError as error:
        yield _refused(error)


def _missing_column(where: str, record: dict[str, Any], columns: dict[str, str]) -> Finding | None:
    missing = {ours: theirs for ours, theirs in columns.items() if theirs not in record}
    if not missing:
        return None
    ours, theirs = next(iter(missing.items()))
    what = f"{where} has no column '{theirs}'; {suggest(theirs, [str(key) for key in record])}"
    return bad(what, f"write in the recipe: 'data: {{columns: {{{ours}: THE_COLUMN}}}}'")


def _with(columns: dict[str, str]) -> str:
    return f" and has {', '.join(columns.values())}" if columns else ""


def _backbone(recipe: Recipe) -> Iterator[Finding]:
    from keras_ft.presets.load import load_pretrained

    backbone = recipe.backbone
    if isinstance(backbone, str) and not Path(backbone).is_dir() and not (backbone in WHEELS and is_fetched(backbone)):
        yield _name(backbone)
        return
    try:
        pretrained = load_pretrained(backbone)
    except KerasFTError as error:
        yield _refused(error)
        return
    positions, wanted = pretrained.backbone.max_sequence_length, recipe.data.max_length
    size = pretrained.backbone.count_params() / 1e6
    yield ok(f"backbone {pretrained.name} opens: {size:.1f} M parameters, {positions} positions")
    if wanted > positions:
        yield bad(f"data.max_length is {wanted}; the backbone has {positions} positions", f"set it to {positions}")


def _name(backbone: str) -> Finding:
    """A name that a hub or the package index knows; nothing is fetched to see whether it does."""
    from keras_ft.presets.load import cached_presets, preset_names

    if backbone in WHEELS:
        return note(f"backbone {backbone} is fetched from the package index when it is first used")
    if backbone in cached_presets():
        return ok(f"backbone {backbone} lies in the local cache")
    if backbone.startswith((HF, KAGGLE)) or backbone in preset_names():
        what = f"backbone {backbone} is downloaded when it is first used, unless a hub's cache holds it"
        return note(what, "offline, give a folder: 'backbone: path/to/folder'")
    near = suggest(backbone, list(preset_names()))
    what = f"backbone {backbone} is neither a folder nor a known preset"
    return bad(what, near if near.startswith("did") else "'keras-ft presets' lists the names")


def _run_folder(recipe: Recipe, out: str) -> Finding:
    try:
        if is_remote(out):
            return note(f"--out {out} is in an object store, and was not tried")
        RunFolder(out).check_free(recipe)
    except RequestError as error:
        return _refused(error)
    reason = why_not_writable(Path(out))
    if reason:
        return bad(f"--out {out} cannot be written: {reason}", "give another folder")
    return ok(f"--out {out} can be written (tried in {nearest_folder(Path(out))})")


def _refused(error: KerasFTError) -> Finding:
    """Our errors say what would be right after the semicolon."""
    what, _, advice = str(error).rpartition("; ")
    return bad(what, advice) if what else bad(str(error), "mend it and run doctor again")
