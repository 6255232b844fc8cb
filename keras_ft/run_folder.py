"""The folder of a run: where each thing lies, and whose it is."""

import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from keras_ft.errors import KerasFTError, RequestError
from keras_ft.paths import (
    AnyPath,
    child_folders,
    exists,
    is_remote,
    pull,
    push,
    reading_folder,
    working_folder,
    write_whole,
)
from keras_ft.recipe import Recipe

LOCAL_ONLY = ("data", ".lock")
WRITTEN_LAST = ("progress.json", "model.weights.sha256", "metrics.json")  # each says that others are whole


class RunFolder:
    """Paths inside a run folder, and the files that are small enough to read and write here.

    Args:
        path: the folder, there or not yet. One in an object store (`gs://…`) is worked on in a local copy, which
            `publish` copies back; token arrays stay here, since they can be made again.
        local: where that copy is; in the cache if not given.
    """

    def __init__(self, path: AnyPath, local: Path | None = None):
        self.name = os.fspath(path).rstrip("/") or "/"
        self.is_remote = is_remote(path)
        self.path = local or (working_folder(path) if self.is_remote else Path(path))
        self.recipe_file = self.path / "recipe.yaml"
        self.metrics_file = self.path / "metrics.json"
        self.inspection_file = self.path / "inspection.json"
        self.log_file = self.path / "log.csv"
        self.events = self.path / "events"
        self.wandb_file = self.path / "wandb.json"
        self.checkpoints = self.path / "checkpoints"
        self.data = self.path / "data"
        self.model = self.path / "model"
        self.predictions = self.path / "predictions"
        self.report_file = self.path / "report.html"
        self.lock_file = self.path / ".lock"
        self._is_new = self._made_here = False

    @classmethod
    def opened(cls, path: AnyPath) -> "RunFolder":
        """A run to read from; of a remote one all but data and checkpoints is copied here, apart from where it trains.

        Raises:
            WorkError: the store cannot be read.
        """
        if not is_remote(path):
            return cls(path)
        run = cls(path, reading_folder(path))
        run.path.mkdir(parents=True, exist_ok=True)
        pull(run.name, run.path, (*LOCAL_ONLY, "checkpoints"))
        return run

    def publish(self) -> None:
        """Copy to a remote run folder what changed here.

        Raises:
            WorkError: the store cannot be written.
        """
        if self.is_remote:
            push(self.path, self.name, WRITTEN_LAST, LOCAL_ONLY)

    @contextmanager
    def claimed(self, recipe: Recipe) -> Iterator[None]:
        """Hold the folder for this recipe, alone; one that already is this recipe's is resumed.

        Raises:
            RequestError: the folder belongs to another recipe, holds something that is no run, cannot be made, or
                another process trains in it.
            WorkError: the folder is in a store that cannot be read or written.
        """
        if not self.is_remote:
            self.check_free(recipe)
        self._made_here = not self.path.exists()
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock = self.lock_file.open("w")
        except OSError as error:
            raise RequestError(f"--out {self.name} cannot be written ({error.strerror}); give another folder") from None
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise RequestError(f"another process is training in {self.name}; wait for it or stop it") from None
            if self.is_remote:
                if not self._is_ahead(recipe):
                    pull(self.name, self.path, LOCAL_ONLY)
                self.check_free(recipe)
            self._is_new = not self._has_recipe
            if self._is_new:
                write_whole(self.recipe_file, recipe.to_yaml())
            self.publish()  # what cannot be written is better known now than at the first checkpoint
            self.model.mkdir(exist_ok=True)
            yield

    @contextmanager
    def discarded_if_refused(self) -> Iterator[None]:
        """Leave nothing of a run behind that was begun just now and cannot train."""
        try:
            yield
        except KerasFTError:
            if self._is_new:
                for ours in (self.model, self.data, self.events):
                    shutil.rmtree(ours, ignore_errors=True)
                for ours in (self.inspection_file, self.log_file, self.wandb_file, self.recipe_file, self.lock_file):
                    ours.unlink(missing_ok=True)
                with suppress(KerasFTError):  # the first error is what the user must know
                    self.publish()
                if self._made_here:
                    with suppress(OSError):
                        self.path.rmdir()
            raise

    @property
    def _has_recipe(self) -> bool:
        return self.recipe_file.is_file() and self.recipe_file.stat().st_size > 0

    def _is_ahead(self, recipe: Recipe) -> bool:
        """Whether what is here of this recipe's run could not be published before it was stopped."""
        if not self._has_recipe or _first_difference(_plain(self.read_recipe()), _plain(recipe)):
            return False
        if not exists(f"{self.name}/recipe.yaml"):
            return False  # deleted there: a new beginning
        there = child_folders(f"{self.name}/checkpoints")
        here = [folder.name for folder in self.checkpoints.glob("step-*") if (folder / "progress.json").is_file()]
        return max(here, default="") > max((name for name in there if name.startswith("step-")), default="")

    def read_recipe(self) -> Recipe:
        """The recipe of a finished or interrupted run.

        Raises:
            RequestError: the folder is not a run folder, or its recipe was damaged.
        """
        try:
            return Recipe.model_validate(yaml.safe_load(self.recipe_file.read_text(encoding="utf-8")))
        except OSError:
            raise RequestError(f"{self.name} is not a run folder: it has no recipe.yaml") from None
        except (yaml.YAMLError, UnicodeDecodeError, ValidationError) as error:
            reason = " ".join(str(error).split())[:200]
            raise RequestError(f"{self.recipe_file} is damaged ({reason}); restore it or train again") from None

    def read_metrics(self) -> dict[str, Any] | None:
        """`metrics.json`, or None while the run is unfinished."""
        if not self.metrics_file.is_file():
            return None
        return json.loads(self.metrics_file.read_text(encoding="utf-8"))

    def read_inspection(self) -> dict[str, Any] | None:
        """`inspection.json`, or None where it is absent or damaged."""
        try:
            return json.loads(self.inspection_file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None

    def write_metrics(self, metrics: dict[str, Any]) -> None:
        """Write `metrics.json`, last of all: it marks the run as finished."""
        write_whole(self.metrics_file, json.dumps(metrics, indent=2) + "\n")

    def check_free(self, recipe: Recipe) -> None:
        """Refuse a folder that is another recipe's, or holds something that is no run (RequestError)."""
        if self.path.exists() and not self.path.is_dir():
            raise RequestError(f"--out {self.name} is a file; give a folder")
        if self._has_recipe:
            difference = _first_difference(_plain(self.read_recipe()), _plain(recipe))
            if difference:
                key, there, here = difference
                raise RequestError(
                    f"{self.name} belongs to another recipe ({key} is {there!r} there, {here!r} here);"
                    " give another --out, or delete it"
                )
        elif self.path.is_dir() and any(child.name not in self._never_foreign for child in self.path.iterdir()):
            raise RequestError(f"{self.name} is not empty and holds no run; give another --out")

    @property
    def _never_foreign(self) -> tuple[str, ...]:
        """What may lie in a folder that holds no run: an empty recipe was left by a kill."""
        return (".lock", "recipe.yaml", *(LOCAL_ONLY if self.is_remote else ()))


def _plain(recipe: Recipe) -> dict[str, Any]:
    return recipe.model_dump(mode="json")


def _first_difference(theirs: Any, ours: Any, key: str = "") -> tuple[str, Any, Any] | None:
    if isinstance(theirs, dict) and isinstance(ours, dict):
        for name in dict.fromkeys([*theirs, *ours]):
            found = _first_difference(theirs.get(name), ours.get(name), f"{key}.{name}".lstrip("."))
            if found:
                return found
        return None
    return None if theirs == ours else (key, theirs, ours)
