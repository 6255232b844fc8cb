"""Examples a second that the input pipeline feeds, no model behind it.

    python benchmarks/input_pipeline.py

A .jsonl file of SST-2's texts, over and over (each made different by its number), is read, tokenized, planned and
assembled into batches of 32 as the training loop takes them: the first epoch of a run. Then epochs over the arrays that
are ready. Takes about a minute on two cores.
"""

import os
import tempfile
from itertools import cycle, islice
from pathlib import Path
from statistics import median
from typing import Any

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import texts
import typer
from minilm import MAX_LENGTH, PRESET
from report import Bar, machine, publish
from turns import Stopwatch

BATCH_SIZE = 32
LEAST = 20_000


def main(rows: int = 200_000, rounds: int = 3) -> None:
    """Measure, print, and write results/input_pipeline.json."""
    from keras_ft.presets.load import load_pretrained

    before = machine()
    pretrained = load_pretrained(PRESET)
    with tempfile.TemporaryDirectory() as scratch:
        file = repeated(rows, Path(scratch) / "rows.jsonl")
        rounds_of_epochs = [measure(file, Path(scratch) / f"data-{number}", pretrained) for number in range(rounds)]
    names = rounds_of_epochs[0].keys()
    found = [_row(name, [epochs[name] for epochs in rounds_of_epochs]) for name in names]
    bar = Bar("Examples a second, from text to batches", LEAST, found[0]["examples/s"])
    publish("input_pipeline", f"{rows:,} texts of SST-2's length in batches of {BATCH_SIZE}", found, [bar], before)


def repeated(count: int, path: Path) -> Path:
    """Write so many rows."""
    rows = islice(cycle(texts.read("sst2", "train")), count)
    return texts.write_file([{**row, "text": f"{i} {row['text']}"} for i, row in enumerate(rows)], path)


def measure(file: Path, folder: Path, pretrained: Any) -> dict[str, dict[str, Any]]:
    """What the first epoch takes, text to batches, and the second, from arrays."""
    from keras_ft.recipe import Recipe
    from keras_ft.training.prepare import prepare

    data = {"train": str(file), "validation": 0.001, "max_length": MAX_LENGTH}
    recipe = Recipe.model_validate({"task": "classification", "backbone": PRESET, "data": data})
    watch = Stopwatch()
    arrays = prepare(recipe, pretrained, folder, lambda line: None).splits["train"]
    count = consume(arrays, epoch=0)
    first = watch.read(count)
    watch = Stopwatch()
    return {"first epoch, from text": first, "later epochs, from arrays": watch.read(consume(arrays, epoch=1))}


def consume(arrays: Any, epoch: int) -> int:
    """Take every batch of an epoch; returns how many examples came."""
    from keras_ft.data.pipeline import batches
    from keras_ft.data.plans import RaggedPlans

    plans = RaggedPlans(arrays.lengths, seed=0, parts=1, batch_size=BATCH_SIZE, tokens_per_batch=None)
    return sum(len(batch["example_weights"]) for batch in batches(arrays, plans.steps(epoch)))


def _row(name: str, rounds: list[dict[str, Any]]) -> dict[str, Any]:
    speeds = [it["examples"] / it["seconds"] for it in rounds]
    return {
        "epoch": name,
        "examples/s": median(speeds),
        "examples/CPU-s": median(it["examples"] / it["cpu_seconds"] for it in rounds),
        "rounds": [round(speed) for speed in speeds],
    }


if __name__ == "__main__":
    typer.run(main)
