"""The folder of a run: where each thing lies, and whose it is."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from keras_ft.errors import RequestError
from keras_ft.recipe import Recipe


class RunFolder:
    """Paths inside a run folder, and the files that are small enough to read and write here.

    Args:
        path: the folder, there or not yet.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        self.recipe_file = self.path / "recipe.yaml"
        self.metrics_file = self.path / "metrics.json"
        self.log_file = self.path / "log.csv"
        self.events = self.path / "events"
        self.checkpoints = self.path / "checkpoints"
        self.data = self.path / "data"
        self.model = self.path / "model"
        self.weights_file = self.model / "model.weights.h5"

    def check(self, recipe: Recipe) -> None:
        """Refuse a folder that is not free for this recipe; one that already is this recipe's is resumed.

        Raises:
            RequestError: the folder belongs to another recipe, or holds something that is no run.
        """
        if self.path.exists() and not self.path.is_dir():
            raise RequestError(f"--out {self.path} is a file; give a folder")
        if self.recipe_file.is_file():
            difference = _first_difference(self._settings(), recipe.model_dump(mode="json"))
            if difference:
                key, theirs, ours = difference
                raise RequestError(
                    f"{self.path} belongs to another recipe ({key} is {theirs!r} there, {ours!r} here);"
                    " give another --out, or delete it"
                )
            return
        if self.path.is_dir() and any(self.path.iterdir()):
            raise RequestError(f"{self.path} is not empty and holds no run; give another --out")

    @contextmanager
    def claimed(self, recipe: Recipe) -> Iterator[None]:
        """Hold the folder for this recipe; a new one that turns out to be refused is not left behind."""
        self.check(recipe)
        new = not self.recipe_file.is_file()
        self.model.mkdir(parents=True, exist_ok=True)
        self.recipe_file.write_text(recipe.to_yaml(), encoding="utf-8")
        try:
            yield
        except RequestError:
            if new:
                shutil.rmtree(self.path)
            raise

    def read_recipe(self) -> Recipe:
        """The recipe of a finished or interrupted run.

        Raises:
            RequestError: the folder is not a run folder.
        """
        return Recipe.model_validate(self._settings())

    def read_metrics(self) -> dict[str, Any] | None:
        """`metrics.json`, or None while the run is unfinished."""
        if not self.metrics_file.is_file():
            return None
        return json.loads(self.metrics_file.read_text(encoding="utf-8"))

    def write_metrics(self, metrics: dict[str, Any]) -> None:
        """Write `metrics.json`, last of all: it marks the run as finished."""
        scratch = self.metrics_file.with_suffix(".tmp")
        scratch.write_text(json.dumps(metrics, indent=2) + "\n", encoding="utf-8")
        scratch.replace(self.metrics_file)

    def _settings(self) -> dict[str, Any]:
        try:
            settings = yaml.safe_load(self.recipe_file.read_text(encoding="utf-8"))
        except OSError:
            raise RequestError(f"{self.path} is not a run folder: it has no recipe.yaml") from None
        except yaml.YAMLError:
            raise RequestError(f"{self.recipe_file} is damaged; restore it or train again") from None
        if not isinstance(settings, dict):
            raise RequestError(f"{self.recipe_file} is damaged; restore it or train again")
        return settings


def _first_difference(theirs: Any, ours: Any, key: str = "") -> tuple[str, Any, Any] | None:
    if isinstance(theirs, dict) and isinstance(ours, dict):
        for name in dict.fromkeys([*theirs, *ours]):
            found = _first_difference(theirs.get(name), ours.get(name), f"{key}.{name}".lstrip("."))
            if found:
                return found
        return None
    return None if theirs == ours else (key, theirs, ours)
