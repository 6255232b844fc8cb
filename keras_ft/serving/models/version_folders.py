"""Where versions lie: `MODELS/NAME` holds one numbered folder a version, here or in an object store."""

import os
from dataclasses import dataclass
from pathlib import Path

from keras_ft.errors import RequestError
from keras_ft.paths import AnyPath, child_folders, exists, is_remote, local_folder

SAVED_MODEL_FILES = ("saved_model.pb", "saved_model.pbtxt")


@dataclass(frozen=True)
class FoundVersion:
    """The version that a path stands for.

    Attributes:
        name: of the model.
        number: of the version.
        base_path: the folder of the model.
        folder: of the version, as a path here or in an object store.
        asked_for: whether the path named the version itself.
    """

    name: str
    number: int
    base_path: str
    folder: str
    asked_for: bool


def find_version(path: AnyPath) -> FoundVersion:
    """The version that `MODELS/NAME` (the latest) or `MODELS/NAME/N` stands for.

    Raises:
        RequestError: there is none.
    """
    asked_for = os.fspath(path)
    if not is_remote(path):
        # A relative `.` has no name of its own.
        folder = Path(path).absolute() if Path(path).name else Path(path).resolve()
        if not folder.is_dir():
            raise RequestError(
                f"{folder}: no such folder; give a model folder that holds numbered versions (MODELS/NAME)"
            )
        if (folder / "recipe.yaml").is_file():
            raise RequestError(f"{folder} is a run; 'keras-ft export' makes what can be served of it")
        asked_for = str(folder)
    base, _, last = asked_for.rstrip("/").rpartition("/")
    if is_number(last):
        if not _is_whole(asked_for):
            raise RequestError(f"{asked_for}: no saved_model.pb in it; export the model into this folder first")
        return FoundVersion(base.rpartition("/")[2], int(last), base, asked_for, asked_for=True)
    base = asked_for.rstrip("/")
    numbered = [child for child in _children(base) if is_number(child)]
    whole = versions_in(base)
    if not numbered:
        raise RequestError(f"{base}: no version folder in it; a model is served from MODELS/NAME/1/saved_model.pb")
    if not whole:
        raise RequestError(
            f"{base}/{max(numbered, key=int)}: no saved_model.pb in it; export the model into this folder first"
        )
    return FoundVersion(last, max(whole), base, whole[max(whole)], asked_for=False)


def versions_in(base_path: AnyPath) -> dict[int, str]:
    """The versions in the folder of a model, by number; one without its `saved_model.pb` is still being copied there.

    Raises:
        OSError: the folder cannot be read.
        WorkError: the object store does not answer.
    """
    base = os.fspath(base_path).rstrip("/")
    folders = {int(name): f"{base}/{name}" for name in _children(base) if is_number(name)}
    return {number: folder for number, folder in folders.items() if _is_whole(folder)}


def fetched(folder: str) -> Path:
    """A version folder as a local one: a copy if it lies in an object store."""
    return local_folder(folder) if is_remote(folder) else Path(folder)


def is_number(name: str) -> bool:
    """Whether a folder of this name is a version."""
    return name.isascii() and name.isdecimal()


def _children(base: str) -> list[str]:
    if is_remote(base):
        return child_folders(base)
    with os.scandir(base) as entries:
        return [entry.name for entry in entries if entry.is_dir()]


def _is_whole(folder: str) -> bool:
    return any(exists(f"{folder}/{file}") for file in SAVED_MODEL_FILES)
