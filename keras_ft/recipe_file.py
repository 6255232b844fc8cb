"""Reading a recipe from its YAML file, with overrides; every mistake is named by file, line and key.

recipe = load_recipe("pipelines/intent/recipe.yaml", ["train.epochs=1"])
recipe.train.learning_rate
"""

import glob
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from keras_ft.errors import RequestError
from keras_ft.recipe import Recipe, describe_error

DATA_SUFFIXES = (".csv", ".tsv", ".jsonl", ".json", ".parquet", ".txt", ".gz")


def load_recipe(path: str | Path, overrides: Sequence[str] = ()) -> Recipe:
    """Read a recipe.

    Args:
        path: the YAML file. Relative paths of data files and of the backbone start at its folder.
        overrides: settings such as `train.epochs=1`; the value is YAML.

    Raises:
        RequestError: there is no such file, it is not YAML, a key is unknown or a value has the wrong type.
    """
    path = Path(path)
    text = _read(path)
    try:
        tree = yaml.safe_load(text)
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, ValueError) as error:  # a date that is none is a ValueError
        raise RequestError(f"{path} is not valid YAML: {_one_line(error)}") from None
    if not isinstance(tree, dict):
        raise RequestError(f"{path} should be a YAML mapping with the keys task, backbone and data")
    for override in overrides:
        _override(tree, override)
    try:
        recipe = Recipe.model_validate(tree)
    except ValidationError as error:
        raise RequestError(_explain(error, path, node, tree)) from None
    return _resolve_paths(recipe, Path(os.path.abspath(path)).parent)


def _read(path: Path) -> str:
    if not path.is_file():
        what = "is a folder, not a recipe" if path.is_dir() else "does not exist"
        raise RequestError(f"recipe {path} {what}; give the path of a YAML file")
    if path.suffix.lower() in DATA_SUFFIXES:
        raise RequestError(f"{path} is a data file, not a recipe; name it as data.train in a YAML file, and give that")
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise RequestError(f"recipe {path} is not valid UTF-8 (byte {error.start}); save it as UTF-8") from None
    if not text.strip():
        raise RequestError(f"recipe {path} is empty; it needs the keys task, backbone and data")
    return text


def _override(tree: dict[str, Any], override: str) -> None:
    key, equals, value = override.partition("=")
    if not equals:
        raise RequestError(f"--set {override} should look like train.epochs=1")
    try:
        parsed = yaml.safe_load(value)
    except (yaml.YAMLError, ValueError):
        raise RequestError(f"--set {override}: {value!r} is not a YAML value") from None
    *sections, last = key.strip().split(".")
    for section in sections:
        child = tree.get(section)
        if isinstance(child, str) and section in ("task", "optimizer"):
            child = {"name": child}
        tree[section] = child if isinstance(child, dict) else {}
        tree = tree[section]
    tree[last] = parsed


def _explain(error: ValidationError, path: Path, node: yaml.Node | None, tree: dict[str, Any]) -> str:
    first = min(error.errors(), key=lambda e: 0 if e["type"] == "extra_forbidden" else 1)
    keys = [part for part in first["loc"] if isinstance(part, str) and _is_key(part)]
    model = _model_at(keys[:-1])
    line = _line_of(node, keys)
    where = f"{path} line {line}" if line else f"{path}"
    return f"{where}: {describe_error(first, model, '.'.join(keys))}"


def _is_key(part: str) -> bool:
    """Whether a location names a key; pydantic also names the branch of a union, such as `list[str]`."""
    return not re.search(r"[\[\(-]", part) and part not in ("float", "str", "int", "constrained-float")


def _model_at(keys: list[str]) -> type[BaseModel]:
    model: type[BaseModel] = Recipe
    for key in keys:
        annotation = model.model_fields[key].annotation if key in model.model_fields else None
        candidates = [annotation, *getattr(annotation, "__args__", ())]
        model = next((c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel)), model)
    return model


def _line_of(node: yaml.Node | None, keys: list[str]) -> int | None:
    line = None
    for key in keys:
        if not isinstance(node, yaml.MappingNode):
            break
        found = next(((k, v) for k, v in node.value if k.value == key), None)
        if not found:
            break
        line, node = found[0].start_mark.line + 1, found[1]
    return line


def _resolve_paths(recipe: Recipe, folder: Path) -> Recipe:
    def absolute(name: str) -> str:
        if re.match(r"\w+:", name):
            return name
        path = os.path.abspath(folder / Path(name).expanduser())  # links are kept: their names say what a file is
        if glob.has_magic(name) and not os.path.exists(path):
            path = os.path.join(glob.escape(str(folder)), name)  # a pattern below a folder that may look like one
        return _checked(path)

    data = recipe.data
    data.train = [absolute(name) for name in data.train]
    if isinstance(data.validation, list):
        data.validation = [absolute(name) for name in data.validation]
    if data.test:
        data.test = [absolute(name) for name in data.test]
    if isinstance(recipe.backbone, dict):
        recipe.backbone = {
            key: absolute(value) if key in ("vocabulary", "merges") and isinstance(value, str) else value
            for key, value in recipe.backbone.items()
        }
    elif (folder / Path(recipe.backbone).expanduser()).is_dir():
        recipe.backbone = absolute(recipe.backbone)
    for callback in recipe.train.callbacks:
        module = callback.name.split(":")[0]
        if "/" in module or _is_beside(folder, module):
            callback.name = _checked(os.path.abspath(folder / Path(callback.name).expanduser()))
    return recipe


def _is_beside(folder: Path, module: str) -> bool:
    """Whether a module, or the package that holds it, lies in the recipe's folder."""
    beside = folder / module.split(".")[0]
    return beside.with_suffix(".py").is_file() or (beside / "__init__.py").is_file()


def _checked(path: str) -> str:
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        shown = os.fsencode(path).decode("utf-8", "replace")
        raise RequestError(f"{shown}: the name is not valid UTF-8; rename the file or its folder") from None
    return path


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
