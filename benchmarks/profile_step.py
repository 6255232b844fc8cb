"""Where a training step goes: steps with one part left out, in turn with whole ones.

    python benchmarks/profile_step.py

The step of `keras-ft train` on SST-2 (MiniLM-L6, batches of 32, drop-out 0.1, AdamW, clipping), from the input
pipeline to the updated weights. A part's time is the median over rounds of the whole step's less that of the step
without it; "rest" is what no variant leaves out: embeddings, residuals, head, loss, copies of weights, and whatever
parts saved by sharing. Wall time is what counts, CPU time what other work on the machine disturbs less. Takes about
10 minutes on two cores.
"""

import os
import tempfile
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any
from unittest.mock import patch

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import texts
import typer
from keras import ops
from minilm import DROPOUT, MAX_LENGTH, PRESET
from report import machine, publish
from turns import Stopwatch

Milliseconds = tuple[float, float]  # wall, CPU


def cheap_dense(inputs: Any, kernel: Any, bias: Any) -> Any:
    """Of the shape of a dense layer's output, for next to no arithmetic; its weights still get gradients."""
    width, outputs = kernel.shape
    if outputs >= width:
        cheap = ops.concatenate([inputs] * (outputs // width), axis=-1)
    else:
        cheap = ops.split(inputs, width // outputs, axis=-1)[0]
    return cheap + (ops.mean(kernel, axis=0) + bias)


def scale_and_shift(values: Any, gamma_beta: tuple[Any, Any], epsilon: float) -> Any:
    """A layer norm that does not normalize."""
    return values * gamma_beta[0] + gamma_beta[1]


@dataclass(frozen=True)
class Part:
    """What a variant leaves out.

    Attributes:
        settings: of the recipe's `train`.
        replaced: functions of the encoder.
        updates: whether the optimizer is called.
        beside: the variant that it is compared with.
    """

    settings: dict[str, Any] = field(default_factory=dict)
    replaced: dict[str, Callable] = field(default_factory=dict)
    updates: bool = True
    beside: str = "whole"


PARTS = {
    "dense layers": Part(replaced={"dense": cheap_dense}),
    "attention": Part(replaced={"self_attention": lambda qkv, *rest: ops.split(qkv, 3, axis=-1)[0]}),
    "layer norms": Part(replaced={"layer_norm": scale_and_shift}),
    "GELU": Part(replaced={"activate": lambda values, *rest, **named: values}),
    "drop-out": Part({"dropout": 0.0}),
    "clipping": Part({"clip_norm": None}),
    "optimizer": Part({"clip_norm": None}, updates=False, beside="clipping"),
}


class Variant:
    """A trainer of its own, whose step is traced with some functions replaced."""

    def __init__(self, precision: str, part: Part):
        from keras_ft.presets.load import load_pretrained
        from keras_ft.recipe import TrainSection
        from keras_ft.tasks.classification import Classification
        from keras_ft.tasks.model import build_model
        from keras_ft.training.tf_engine import TFEngine

        pretrained = load_pretrained(PRESET)
        task = Classification(["0", "1"], pooling="pooler", max_length=MAX_LENGTH)
        plain = {"batch_size": 32, "dropout": DROPOUT, "clip_norm": 1.0, "learning_rate": 1e-9, "steps": 10**6}
        section = TrainSection.model_validate({**plain, "precision": precision, **part.settings})
        self.engine = TFEngine(build_model(task, pretrained, seed=0), task, section)
        self.engine.prepare(10**6)
        if not part.updates:
            self.engine._apply = lambda gradients, norm, context: None
        self.replaced, self.step = part.replaced, 0

    def measure(self, batches: list[dict]) -> Milliseconds:
        """Train on batches."""
        watch = Stopwatch()
        with patch.multiple("keras_ft.layers.encoder", **self.replaced) if self.replaced else nullcontext():
            for batch in batches:
                self.engine.train_step(batch, self.step)
                self.step += 1
        return _a_step(watch, len(batches))


def main(
    rounds: int = 7,
    steps: int = 12,
    precision: Annotated[list[str], typer.Option()] = ["float32", "bfloat16"],  # noqa: B006
) -> None:
    """Measure, print, and write results/profile_step.json."""
    before = machine()
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        arrays = tokenized(texts.read("sst2", "train"), Path(scratch))
        for name in precision:
            rows += profile(name, arrays, rounds, steps)
    publish("profile_step", "A training step by part, milliseconds", rows, [], before)


def tokenized(rows: list[dict], folder: Path) -> Any:
    """The training arrays as `keras-ft train` prepares them."""
    from keras_ft.presets.load import load_pretrained
    from keras_ft.recipe import Recipe
    from keras_ft.training.prepare import prepare

    file = str(texts.write_file(rows, folder / "rows.jsonl"))
    data = {"train": file, "validation": 0.1, "max_length": MAX_LENGTH}
    recipe = Recipe.model_validate({"task": "classification", "backbone": PRESET, "data": data})
    return prepare(recipe, load_pretrained(PRESET), folder / "data", lambda line: None).splits["train"]


def profile(precision: str, arrays: Any, rounds: int, steps: int) -> list[dict[str, Any]]:
    """A row for each part, and for the whole step."""
    from keras_ft.data.plans import RaggedPlans

    plans = RaggedPlans(arrays.lengths, seed=0, parts=1, batch_size=32, tokens_per_batch=None)
    chosen = plans.steps(epoch=0)[:steps]
    variants = {"whole": Variant(precision, Part())} | {name: Variant(precision, it) for name, it in PARTS.items()}
    engine = variants["whole"].engine
    ready = list(engine.batches(arrays, chosen, 0))
    for variant in variants.values():
        variant.measure(ready)  # tracing
    measured = {name: [] for name in [*variants, "input"]}
    for _ in range(rounds):
        for name, variant in variants.items():
            measured[name].append(variant.measure(ready))
        watch = Stopwatch()
        for _ in engine.batches(arrays, chosen, 0):
            pass
        measured["input"].append(_a_step(watch, steps))
    times = {name: np.array(values) for name, values in measured.items()}  # (rounds, 2)
    found = {name: np.median(times[it.beside] - times[name], axis=0) for name, it in PARTS.items()}
    whole = np.median(times["whole"], axis=0)
    found["rest"] = whole - sum(found.values())
    found["whole step"] = whole
    found["input, made beside the step"] = np.median(times["input"], axis=0)
    return [
        {
            "precision": precision,
            "part": name,
            "wall": float(wall),
            "CPU": float(cpu),
            "% of CPU": 100 * cpu / whole[1],
        }
        for name, (wall, cpu) in found.items()
    ]


def _a_step(watch: Stopwatch, steps: int) -> Milliseconds:
    read = watch.read(steps)
    return 1000 * read["seconds"] / steps, 1000 * read["cpu_seconds"] / steps


if __name__ == "__main__":
    typer.run(main)
