"""Where a training step goes: the time of every TensorFlow operation of some steps, summed up by part.

    python benchmarks/profile_step.py

The step of `keras-ft train` on SST-2 (MiniLM-L6, batches of 32, drop-out 0.1, AdamW, clipping), from the assembled
batch to the updated weights, forward and backward of each part apart. TensorFlow runs operations side by side, each of
which may use all cores, so that their times add up to more than the step takes: the shares are what counts. Takes two
minutes on two cores.
"""

import os
import re
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Annotated, Any
from unittest.mock import patch

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tensorflow as tf
import texts
import typer
from minilm import DROPOUT, MAX_LENGTH, PRESET
from report import machine, publish
from turns import Stopwatch

PARTS = {
    "dense": "dense layers",
    "self_attention": "attention",
    "layer_norm": "layer norms",
    "activate": "GELU",
    "dropout": "drop-out",
    "apply": "clipping and optimizer",
}
REST = "embeddings, residuals, head, loss, casts"
LARGEST = 4  # operations shown of a part
NO_WORK = {"Process", "Run"}  # spans around operations


def main(
    steps: int = 24,
    data: Annotated[str, typer.Option(help="sst2 or ag_news")] = "sst2",
    precision: Annotated[list[str], typer.Option()] = ["float32", "bfloat16"],  # noqa: B006
) -> None:
    """Measure, print, and write results/profile_step.json."""
    before, rows = machine(), []
    with tempfile.TemporaryDirectory() as scratch:
        arrays = tokenized(texts.read(data, "train")[: 64 * steps], Path(scratch))
        for name in precision:
            rows += profile(name, arrays, steps, Path(scratch) / name)
    publish("profile_step", f"A training step on {texts.NAMES[data]} by part", rows, [], before)


def tokenized(rows: list[dict], folder: Path) -> Any:
    """The training arrays as `keras-ft train` prepares them."""
    from keras_ft.presets.load import load_pretrained
    from keras_ft.recipe import Recipe
    from keras_ft.training.prepare import prepare

    file = str(texts.write_file(rows, folder / "rows.jsonl"))
    data = {"train": file, "validation": 0.1, "max_length": MAX_LENGTH}
    recipe = Recipe.model_validate({"task": "classification", "backbone": PRESET, "data": data})
    return prepare(recipe, load_pretrained(PRESET), folder / "data", lambda line: None).splits["train"]


def make_engine(precision: str) -> Any:
    """An engine that has not traced its step yet."""
    from keras_ft.presets.load import load_pretrained
    from keras_ft.recipe import TrainSection
    from keras_ft.tasks.classification import Classification
    from keras_ft.tasks.model import build_model
    from keras_ft.training.tf_engine import TFEngine

    task = Classification(["0", "1", "2", "3"], pooling="pooler", max_length=MAX_LENGTH)
    plain = {"batch_size": 32, "dropout": DROPOUT, "clip_norm": 1.0, "learning_rate": 1e-9, "steps": 10**6}
    section = TrainSection.model_validate({**plain, "precision": precision})
    engine = TFEngine(build_model(task, load_pretrained(PRESET), seed=0), task, section)
    engine.prepare(10**6)
    return engine


def profile(precision: str, arrays: Any, steps: int, folder: Path) -> list[dict[str, Any]]:
    """A row for each part, and for the whole step."""
    from keras_ft.data.plans import RaggedPlans

    plans = RaggedPlans(arrays.lengths, seed=0, parts=1, batch_size=32, tokens_per_batch=None)
    engine = make_engine(precision)
    batches = list(engine.batches(arrays, plans.steps(epoch=0)[:steps], 0))

    def train() -> float:
        watch = Stopwatch()
        for number, batch in enumerate(batches):
            engine.train_step(batch, number)
        return 1000 * watch.read(1)["seconds"] / len(batches)

    with named_parts(engine):
        train()  # traces the step
    wall = median(train() for _ in range(3))
    tf.profiler.experimental.start(str(folder), tf.profiler.experimental.ProfilerOptions(host_tracer_level=2))
    train()
    tf.profiler.experimental.stop()
    times: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for name, operation, milliseconds in operations(folder):
        times[part_of(name)][operation] += milliseconds / len(batches)
    total = sum(sum(of_part.values()) for of_part in times.values())
    print(f"{precision}: {wall:.0f} ms a step; its operations take {total:.0f} ms, side by side")
    ordered = sorted(times.items(), key=lambda item: -sum(item[1].values()))
    return [
        {
            "precision": precision,
            "part": part,
            "ms": sum(of_part.values()),
            "%": 100 * sum(of_part.values()) / total,
            "largest": ", ".join(
                f"{operation} {ms:.1f}" for operation, ms in sorted(of_part.items(), key=lambda it: -it[1])[:LARGEST]
            ),
        }
        for part, of_part in ordered
    ]


def named_parts(engine: Any) -> ExitStack:
    """While it is open, a step is traced with the part in the name of every operation."""
    from keras_ft.layers import activation, attention, encoder

    stack = ExitStack()
    for module in (encoder, attention):
        for name in PARTS:
            if hasattr(module, name):
                stack.enter_context(patch.object(module, name, _scoped(name, getattr(module, name))))
    gelu = activation.gelu_with_gradient.__wrapped__
    stack.enter_context(patch.object(activation, "gelu_with_gradient", _with_scoped_gradient("activate")(gelu)))
    stack.enter_context(patch.object(attention, "with_gradient", _with_scoped_gradient("self_attention")))
    engine._apply = _scoped("apply", engine._apply)
    return stack


def _scoped(name: str, function: Callable) -> Callable:
    def in_scope(*arguments: Any, **named: Any) -> Any:
        with tf.name_scope(f"part_{name}"):
            return function(*arguments, **named)

    return in_scope


def _with_scoped_gradient(name: str) -> Callable:
    from keras_ft.layers.gradient import with_gradient

    def decorate(function: Callable) -> Callable:
        def scoped(values: tf.Tensor) -> tuple[tf.Tensor, Callable]:
            output, gradient = function(values)
            return output, _scoped(f"back_{name}", gradient)

        return with_gradient(scoped)

    return decorate


def operations(folder: Path) -> Iterator[tuple[str, str, float]]:
    """Name, type and milliseconds of every operation in a profile."""
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    space = xplane_pb2.XSpace()
    space.ParseFromString(next(folder.rglob("*.xplane.pb")).read_bytes())
    for plane in space.planes:
        for line in plane.lines:
            for event in line.events:
                name, _, operation = plane.event_metadata[event.metadata_id].name.rpartition(":")
                known = re.fullmatch(r"_?[A-Z]\w+", operation) and operation not in NO_WORK
                if name and known and not operation.endswith("Call"):
                    yield name, operation, event.duration_ps / 1e9


def part_of(name: str) -> str:
    """The part that an operation's name says it belongs to."""
    scopes = re.findall(r"part_(back_)?(" + "|".join(PARTS) + r")(?:_\d+)?/", name)
    if not scopes:
        return REST
    back, part = scopes[-1]
    backward = back or "gradient_tape" in name
    return f"{PARTS[part]}, backward" if backward else PARTS[part]


if __name__ == "__main__":
    typer.run(main)
