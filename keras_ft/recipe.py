"""The YAML file that describes a run, as pydantic models: unknown keys and wrong types are errors.

recipe = load_recipe("pipelines/intent/recipe.yaml", ["train.epochs=1"])
recipe.train.learning_rate
"""

import difflib
import re
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PositiveInt, ValidationError, model_validator

from keras_ft.errors import RequestError

Fraction = Annotated[float, Field(ge=0.0, lt=1.0)]
SECONDS = {"s": 1.0, "min": 60.0, "h": 3600.0}
STRATEGIES = {"tensorflow": ("auto", "one", "mirrored", "multi_worker", "tpu"), "jax": ("auto", "one")}
MESH_AXES = ("data", "model")


class Section(BaseModel):
    """A part of the recipe; a key it does not know is an error.

    The string under a key is its description in the documentation.
    """

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


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
    """A data file, or a list of them, which are read one behind the other."""
    validation: Annotated[float, Field(gt=0.0, lt=1.0)] | Annotated[list[str], BeforeValidator(_as_list)] = 0.1
    """A file, or the fraction of `train` to hold out, of each label in proportion."""
    test: Annotated[list[str] | None, BeforeValidator(_as_list)] = None
    """A file that is looked at once, after training; its metrics are the run's result."""
    columns: dict[str, str] = {}
    """The task's column: the file's column. Only those that have another name in the file."""
    max_length: Annotated[int, Field(ge=3)] = 128
    """The most tokens of a text, `[CLS]` and `[SEP]` included; longer texts are cut. Short texts cost nothing."""
    malformed: Literal["refuse", "skip"] = "refuse"
    """What a row does that cannot be read (a column missing, a span outside its text): stop the run, or be left out and
    counted."""


class EarlyStopping(Section):
    """Stop when `metric` on validation has not improved for `patience` evaluations."""

    metric: str = "loss"
    """A metric of validation: `loss`, or one of the task's."""
    patience: PositiveInt = 2
    """So many evaluations without gain end the training."""


class CheckpointSection(Section):
    """When a checkpoint for resuming is written and how many are kept."""

    every: Annotated[Interval, BeforeValidator(_interval)] = Interval(amount=300, unit="seconds")
    """An interval: `5 min`, `500 steps` or `1 epoch`."""
    keep: PositiveInt = 2
    """Older ones are deleted."""


class TrainSection(Section):
    """How the weights are learned."""

    epochs: Annotated[int, Field(gt=0)] | None = None
    """How often the training data are gone through; 3 where neither this nor `steps` is given."""
    steps: Annotated[int, Field(gt=0)] | None = None
    """How many batches are learned from, instead of `epochs`."""
    batch_size: PositiveInt | None = None
    """Examples in a batch, exact but for an epoch's last; 32 where `tokens_per_batch` is not given either."""
    tokens_per_batch: PositiveInt | None = None
    """The most tokens in a batch, instead of `batch_size`."""
    accumulate: PositiveInt = 1
    """Micro-batches that a step is computed in, one after the other, to save memory; the result is the same."""
    optimizer: Annotated[Named, BeforeValidator(_named)] = Named(name="adamw")
    """A name, or `{name: adamw, beta_2: 0.98}` with its options."""
    learning_rate: Annotated[float, Field(gt=0)] = 5e-5
    """The highest, which the warm-up ends at; the default is for `adamw` and `adam`, others must be given one."""
    schedule: Literal["linear", "cosine", "constant", "polynomial"] = "linear"
    """How the learning rate falls after the warm-up."""
    warmup: Annotated[float, Field(ge=0)] = 0.1
    """Below 1 a fraction of all steps, else a number of steps."""
    weight_decay: Annotated[float, Field(ge=0)] | None = None
    """Decoupled: each step takes this times the learning rate from a weight; biases, norms and a field's are left out.
    `null` is the optimizer's own default: 0.01 for `adamw`, `lamb` and `lion`, else 0."""
    layer_decay: Annotated[float, Field(gt=0, le=1)] | None = None
    """Each layer learns at this times the rate of the layer above it, the head at the full one; `null`: all alike."""
    ema: Annotated[float, Field(gt=0, lt=1)] | None = None
    """Momentum of a moving average of the weights, which is then what is evaluated and kept; `null` keeps none."""
    clip_norm: Annotated[float, Field(gt=0)] | None = 1.0
    """The largest global norm of the gradient; `null` clips nothing."""
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    """What forward and backward passes compute in; weights are float32. `float16` scales the loss, for older GPUs."""
    activation_checkpointing: bool = False
    """Compute each layer again in the backward pass instead of keeping its activations: slower, far less memory."""
    early_stopping: EarlyStopping | None = None
    """Stop when validation no longer gains."""
    dropout: Fraction = 0.1
    """The part of activations that is zeroed in training."""
    evaluate_every: Annotated[Interval, BeforeValidator(_interval)] = Interval(amount=1, unit="epochs")
    """An interval in epochs or steps: `1 epoch`, `0.5 epoch`, `500 steps`. The best evaluation's weights are kept."""
    checkpoint: CheckpointSection = CheckpointSection()
    """What a killed run goes on from."""
    callbacks: list[Annotated[Named, BeforeValidator(_named)]] = []
    """Keras callbacks: `module:Class`, or `{name: module:Class, …}` with its arguments."""
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    """Of shuffling, drop-out, the split and new weights; equal seeds give equal runs."""

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


def _strategy(value: Any) -> Any:
    if isinstance(value, dict):
        if not value or value.keys() - set(MESH_AXES):
            raise ValueError(f"should give the devices of a mesh, such as {{data: 4, model: 2}}, not {value}")
        for axis, size in value.items():
            if not isinstance(size, int) or isinstance(size, bool) or size < 1:
                raise ValueError(f"'{axis}' should be a whole number of devices, not {size!r}")
    elif value not in STRATEGIES["tensorflow"]:
        raise ValueError(f"should be one of {', '.join(STRATEGIES['tensorflow'])}, or a mesh {{data: 4, model: 2}}")
    return value


class RuntimeSection(Section):
    """Which engine trains, and over which devices."""

    engine: Literal["tensorflow", "jax"] = "tensorflow"
    """`tensorflow`, or `jax` for TPUs and meshes of devices; what they train is exported and served alike."""
    strategy: Annotated[str | dict[str, int], BeforeValidator(_strategy)] = "auto"
    """The devices: `auto` takes all that are there, `one` takes one. With `tensorflow` also `mirrored` over the GPUs of
    this machine, `multi_worker` over several machines, `tpu`. With `jax` also a mesh: `{data: 4, model: 2}` divides the
    examples into 4 parts and each large weight in 2."""
    layout: Literal["auto", "ragged", "rows"] = "auto"
    """How tokens lie in a batch: `ragged` without padding, or in `rows` of static shape, which TPUs and `jax` need."""

    @model_validator(mode="after")
    def _settle(self) -> "RuntimeSection":
        if isinstance(self.strategy, dict):
            if self.engine != "jax":
                raise ValueError("a mesh as 'strategy' needs 'engine: jax'")
        elif self.strategy not in STRATEGIES[self.engine]:
            known = ", ".join(STRATEGIES["jax"])
            raise ValueError(
                f"'strategy: {self.strategy}' needs 'engine: tensorflow'; jax knows {known} and {{data: 4, model: 2}}"
            )
        if self.engine == "jax" and self.layout == "ragged":
            raise ValueError("'layout: ragged' needs 'engine: tensorflow'; jax computes in rows")
        return self


class WandBOptions(Section):
    """`logging: {wandb: {project: …}}`, as `wandb.init` calls them; what is not given is W&B's own choice."""

    project: str | None = None
    """`keras-ft` by default."""
    name: str | None = None
    """The run folder's name by default."""
    entity: str | None = None
    """The user or team."""
    group: str | None = None
    """Runs that belong together."""
    tags: list[str] = []
    """To find the run by."""
    notes: str | None = None
    """What the run is about."""


class LoggingSection(Section):
    """What is written down while training, besides `log.csv`."""

    tensorboard: bool = True
    """Write `events/`, which `tensorboard --logdir RUN/events` shows."""
    every: PositiveInt = 10
    """Steps from one logged step to the next."""
    profile: Annotated[str, Field(pattern=r"^\d+\.\.\d+$")] | None = None
    """Steps to profile, such as `100..110`; the trace is in `events/`."""
    wandb: bool | WandBOptions | None = None
    """Weights & Biases: `true`, or `{project: …, tags: […]}`."""


class Recipe(Section):
    """A whole run. `backbone` is a preset name, a folder, or a dict for training from scratch."""

    task: Annotated[Named, BeforeValidator(_named)]
    """A name, or `{name: classification, pooling: mean}` with its options."""
    backbone: str | dict[str, Any]
    """A preset, a folder, or a dict for training from scratch."""
    data: DataSection
    """Which files, and which of their columns."""
    tuning: Literal["full"] = "full"
    """Which weights learn: all of them, so far."""
    train: TrainSection = TrainSection()
    """How they learn."""
    runtime: RuntimeSection = RuntimeSection()
    """Where they learn."""
    logging: LoggingSection = LoggingSection()
    """What is written down meanwhile."""

    def to_yaml(self) -> str:
        """The recipe with every default written out."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


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
        raise RequestError(f"{owner}: {describe_error(error.errors()[0], model)}") from None


def describe_error(error: Any, model: type[BaseModel], name: str | None = None) -> str:
    """One of pydantic's errors in our words.

    Args:
        error: a member of `ValidationError.errors()`.
        model: the section that the wrong key belongs to.
        name: the key with its sections, dotted; by default what the error says.
    """
    name = name or ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        last = str(error["loc"][-1])
        return f"unknown key '{name}'; {suggest(last, list(model.model_fields))}"
    if error["type"] == "missing":
        return f"the key '{name}' is missing"
    message = error["msg"].removeprefix("Value error, ").removeprefix("Input ")
    shown = "" if isinstance(error["input"], dict) else f", not {error['input']!r}"
    return f"{name + ': ' if name else ''}{message}{shown}"
