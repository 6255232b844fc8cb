"""The YAML file that describes a run, as pydantic models: unknown keys and wrong types are errors.

recipe = load_recipe("pipelines/intent/recipe.yaml", ["train.epochs=1"])
recipe.train.learning_rate
"""

import difflib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PositiveInt, ValidationError, model_validator

from keras_ft.errors import RequestError

Fraction = Annotated[float, Field(ge=0.0, lt=1.0)]
SECONDS = {"s": 1.0, "min": 60.0, "h": 3600.0}


class Section(BaseModel):
    """A part of the recipe; a key it does not know is an error."""

    model_config = ConfigDict(extra="forbid")


class Named(BaseModel):
    """A name with options: `classification`, or `{name: classification, pooling: first}`.

    The options are checked by whatever the name stands for.
    """

    model_config = ConfigDict(extra="allow")
    name: str

    @property
    def options(self) -> dict[str, Any]:
        """The options without the name."""
        return dict(self.model_extra or {})


def _named(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


class Interval(Section):
    """How often something happens: `500 steps`, `1 epoch` or `5 min`."""

    amount: float = Field(gt=0)
    unit: Literal["steps", "epochs", "seconds"]


def _interval(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    match = re.fullmatch(r"\s*([\d.]+)\s*(steps?|epochs?|s|min|h)\s*", value)
    if not match:
        raise ValueError("should be an interval such as '500 steps', '1 epoch' or '5 min'")
    amount, unit = float(match[1]), match[2]
    if amount > 1 and amount != round(amount) and unit not in SECONDS:
        raise ValueError(f"should be a whole number of {unit}, or a part of one epoch")
    if unit in SECONDS:
        return {"amount": amount * SECONDS[unit], "unit": "seconds"}
    return {"amount": amount, "unit": unit.rstrip("s") + "s"}


class DataSection(Section):
    """Which files hold the examples, and which of their columns the task reads."""

    train: Annotated[list[str], BeforeValidator(_as_list)]
    validation: Annotated[float, Field(gt=0.0, lt=1.0)] | Annotated[list[str], BeforeValidator(_as_list)] = 0.1
    test: Annotated[list[str] | None, BeforeValidator(_as_list)] = None
    columns: dict[str, str] = {}
    max_length: Annotated[int, Field(ge=3)] = 128


class EarlyStopping(Section):
    """Stop when `metric` on validation has not improved for `patience` evaluations."""

    metric: str = "loss"
    patience: PositiveInt = 2


class CheckpointSection(Section):
    """When a checkpoint for resuming is written and how many are kept."""

    every: Annotated[Interval, BeforeValidator(_interval)] = Interval(amount=300, unit="seconds")
    keep: PositiveInt = 2


class TrainSection(Section):
    """How the weights are learned."""

    epochs: Annotated[int, Field(gt=0)] | None = None
    steps: Annotated[int, Field(gt=0)] | None = None
    batch_size: PositiveInt | None = None
    tokens_per_batch: PositiveInt | None = None
    accumulate: Literal[1] = 1  # micro-batches within a step are still to come
    optimizer: Annotated[Named, BeforeValidator(_named)] = Named(name="adamw")
    learning_rate: Annotated[float, Field(gt=0)] = 5e-5
    schedule: Literal["linear", "cosine", "constant", "polynomial"] = "linear"
    warmup: Annotated[float, Field(ge=0)] = 0.1
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    clip_norm: Annotated[float, Field(gt=0)] | None = 1.0
    precision: Literal["float32", "bfloat16"] = "float32"
    early_stopping: EarlyStopping | None = None
    dropout: Fraction = 0.1
    evaluate_every: Annotated[Interval, BeforeValidator(_interval)] = Interval(amount=1, unit="epochs")
    checkpoint: CheckpointSection = CheckpointSection()
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0

    @model_validator(mode="after")
    def _settle(self) -> "TrainSection":
        if self.epochs and self.steps:
            raise ValueError("give either 'epochs' or 'steps', not both")
        if self.batch_size and self.tokens_per_batch:
            raise ValueError("give either 'batch_size' or 'tokens_per_batch', not both")
        if not (self.epochs or self.steps):
            self.epochs = 3
        if not (self.batch_size or self.tokens_per_batch):
            self.batch_size = 32
        if self.evaluate_every.unit == "seconds":
            raise ValueError("'evaluate_every' should be in epochs or steps")
        return self


class RuntimeSection(Section):
    """Which engine trains, and over which devices."""

    engine: Literal["tensorflow"] = "tensorflow"
    strategy: Literal["auto", "one"] = "auto"


class Recipe(Section):
    """A whole run. `backbone` is a preset name, a folder, or a dict for training from scratch."""

    task: Annotated[Named, BeforeValidator(_named)]
    backbone: str | dict[str, Any]
    data: DataSection
    tuning: Literal["full"] = "full"
    train: TrainSection = TrainSection()
    runtime: RuntimeSection = RuntimeSection()

    def to_yaml(self) -> str:
        """The recipe with every default written out."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


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
    except yaml.YAMLError as error:
        raise RequestError(f"{path} is not valid YAML: {_one_line(error)}") from None
    if not isinstance(tree, dict):
        raise RequestError(f"{path} should be a YAML mapping with the keys task, backbone and data")
    for override in overrides:
        _override(tree, override)
    try:
        recipe = Recipe.model_validate(tree)
    except ValidationError as error:
        raise RequestError(_explain(error, path, node, tree)) from None
    return _resolve_paths(recipe, path.resolve().parent)


def suggest(name: str, known: Sequence[str]) -> str:
    """A clause for an error message: the nearest known name, or all of them."""
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    return f"did you mean '{near[0]}'?" if near else f"known: {', '.join(known)}"


def check_options(owner: str, options: dict[str, Any], model: type[Section]) -> Any:
    """Validate the options of a named part of the recipe, such as a task's.

    Args:
        owner: what the options belong to, for the message (`task classification`).
        options: the options as written.
        model: the pydantic model that knows them.

    Raises:
        RequestError: an option is unknown or of the wrong type.
    """
    try:
        return model.model_validate(options)
    except ValidationError as error:
        raise RequestError(f"{owner}: {_describe(error.errors()[0], model)}") from None


def _read(path: Path) -> str:
    if not path.is_file():
        what = "is a folder, not a recipe" if path.is_dir() else "does not exist"
        raise RequestError(f"recipe {path} {what}; give the path of a YAML file")
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
    except yaml.YAMLError:
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
    return f"{where}: {_describe(first, model, '.'.join(keys))}"


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


def _describe(error: Any, model: type[BaseModel], name: str | None = None) -> str:
    name = name or ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        last = str(error["loc"][-1])
        return f"unknown key '{name}'; {suggest(last, list(model.model_fields))}"
    if error["type"] == "missing":
        return f"the key '{name}' is missing"
    message = error["msg"].removeprefix("Value error, ").removeprefix("Input ")
    shown = "" if isinstance(error["input"], dict) else f", not {error['input']!r}"
    return f"{name + ': ' if name else ''}{message}{shown}"


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
        return name if re.match(r"\w+:", name) else str((folder / Path(name).expanduser()).resolve())

    data = recipe.data
    data.train = [absolute(name) for name in data.train]
    if isinstance(data.validation, list):
        data.validation = [absolute(name) for name in data.validation]
    if data.test:
        data.test = [absolute(name) for name in data.test]
    if isinstance(recipe.backbone, dict):
        recipe.backbone = {
            key: absolute(value) if key == "vocabulary" and isinstance(value, str) else value
            for key, value in recipe.backbone.items()
        }
    elif (folder / Path(recipe.backbone).expanduser()).is_dir():
        recipe.backbone = absolute(recipe.backbone)
    return recipe


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
