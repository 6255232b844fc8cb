"""The folder of a run: where each thing lies, and whose it is."""

import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from keras_ft.errors import KerasFTError, RequestError
from keras_ft.paths import AnyPath, is_remote, pull, push, working_folder
from keras_ft.recipe import Recipe

LOCAL_ONLY = ("data", ".lock")
WRITTEN_LAST = ("progress.json", "model.weights.sha256", "metrics.json")  # each says that others are whole


class RunFolder:
    """Paths inside a run folder, and the files that are small enough to read and write here.

    Args:
        path: the folder, there or not yet. One in an object store (`gs://…`) is worked on in a local copy, which
            `fetch` brings up to date and `publish` copies back; token arrays stay here, since they can be made again.
    """

    def __init__(self, path: AnyPath):
        self.name = os.fspath(path)
        self.is_remote = is_remote(path)
        self.path = working_folder(path) if self.is_remote else Path(path)
        self.recipe_file = self.path / "recipe.yaml"
        self.metrics_file = self.path / "metrics.json"
        self.inspection_file = self.path / "inspection.json"
        self.log_file = self.path / "log.csv"
        self.events = self.path / "events"
        self.checkpoints = self.path / "checkpoints"
        self.data = self.path / "data"
        self.model = self.path / "model"
        self.predictions = self.path / "predictions"
        self.report_file = self.path / "report.html"
        self.lock_file = self.path / ".lock"
        self._made_here = False

    @property
    def _kept_here(self) -> tuple[str, ...]:
        return LOCAL_ONLY if self.is_remote else ()

    def fetch(self) -> "RunFolder":
        """Bring the local copy of a remote run up to date; returns the run."""
        if self.is_remote:
            self.path.mkdir(parents=True, exist_ok=True)
            pull(self.name, self.path, LOCAL_ONLY)
        return self

    def publish(self) -> None:
        """Copy to a remote run folder what changed here."""
        if self.is_remote:
            push(self.path, self.name, WRITTEN_LAST, LOCAL_ONLY)

    @contextmanager
    def claimed(self, recipe: Recipe) -> Iterator[None]:
        """Hold the folder for this recipe, alone; one that already is this recipe's is resumed.

        Raises:
            RequestError: the folder belongs to another recipe, holds something that is no run, cannot be made, or
                another process trains in it.
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
                self.check_free(recipe)
            self.model.mkdir(exist_ok=True)
            if not self.recipe_file.is_file():
                self.recipe_file.write_text(recipe.to_yaml(), encoding="utf-8")
            yield

    @contextmanager
    def discarded_if_refused(self) -> Iterator[None]:
        """Leave nothing of ours behind in a folder without checkpoints if training cannot begin."""
        try:
            yield
        except KerasFTError:
            if not self.checkpoints.exists():
                for ours in (self.model, self.data, self.events):
                    shutil.rmtree(ours, ignore_errors=True)
                for ours in (self.log_file, self.recipe_file, self.lock_file):
                    ours.unlink(missing_ok=True)
                if self._made_here:
                    self.path.rmdir()
            raise

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
        scratch = self.metrics_file.with_suffix(".tmp")
        scratch.write_text(json.dumps(metrics, indent=2) + "\n", encoding="utf-8")
        scratch.replace(self.metrics_file)

    def check_free(self, recipe: Recipe) -> None:
        """Refuse a folder that is another recipe's, or holds something that is no run (RequestError)."""
        self.fetch()
        if self.path.exists() and not self.path.is_dir():
            raise RequestError(f"--out {self.name} is a file; give a folder")
        if self.recipe_file.is_file():
            theirs = self.read_recipe().model_dump(mode="json")
            difference = _first_difference(theirs, recipe.model_dump(mode="json"))
            if difference:
                key, there, here = difference
                raise RequestError(
                    f"{self.name} belongs to another recipe ({key} is {there!r} there, {here!r} here);"
                    " give another --out, or delete it"
                )
        elif self.path.is_dir() and any(child.name not in (".lock", *self._kept_here) for child in self.path.iterdir()):
            raise RequestError(f"{self.name} is not empty and holds no run; give another --out")


def _first_difference(theirs: Any, ours: Any, key: str = "") -> tuple[str, Any, Any] | None:
    if isinstance(theirs, dict) and isinstance(ours, dict):
        for name in dict.fromkeys([*theirs, *ours]):
            found = _first_difference(theirs.get(name), ours.get(name), f"{key}.{name}".lstrip("."))
            if found:
                return found
        return None
    return None if theirs == ours else (key, theirs, ours)
