"""Test accuracy on SST-2 of three runs that differ by their seed alone.

    python benchmarks/sst2_seeds.py

Takes about ten minutes on two cores. Each run is `keras-ft train benchmarks/sst2.yaml`; its metrics are kept in
results/cache/, so that an interrupted benchmark goes on where it was. A change of the recipe or of keras_ft voids them.
"""

import hashlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import mean
from typing import Any

import texts
import typer
from report import RESULTS, Bar, machine, publish

RECIPE = Path(__file__).resolve().with_name("sst2.yaml")
PACKAGE = RECIPE.parents[1] / "keras_ft"
NOT_TRAINING = ("export", "serving")  # parts of keras_ft that no training run executes
CACHE = RESULTS / "cache"


def main(seeds: int = 3) -> None:
    """Train, print, and write results/sst2_seeds.json."""
    before = machine()
    for split in ("train", "dev", "test"):
        texts.path_of("sst2", split)
    rows = [_row(seed, metrics_of(seed)) for seed in range(seeds)]
    accuracy = mean(row["test accuracy"] for row in rows)
    bar = Bar("Mean test accuracy", 0.885, accuracy)
    publish("sst2_seeds", "SST-2, two epochs of MiniLM-L6, by seed", rows, [bar], before)


def metrics_of(seed: int) -> dict[str, Any]:
    """What `metrics.json` of the run says, from the cache or from a run made now."""
    kept = CACHE / f"sst2-{_sources()}-seed{seed}.json"
    if not kept.is_file():
        metrics = train(seed)
        CACHE.mkdir(parents=True, exist_ok=True)
        kept.write_text(json.dumps(metrics, indent=1) + "\n", encoding="utf-8")
    return json.loads(kept.read_text(encoding="utf-8"))


def train(seed: int) -> dict[str, Any]:
    """One run through the command line, its progress on stderr; the process ends if the run fails."""
    with tempfile.TemporaryDirectory() as scratch:
        command = [sys.executable, "-m", "keras_ft", "train", str(RECIPE), "--json"]
        command += ["--set", f"train.seed={seed}", "--out", f"{scratch}/run"]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"the run of seed {seed} failed; its message is above")
    return json.loads(done.stdout)


def _sources() -> str:
    """A hash of the recipe and of the code that trains."""
    files = [RECIPE, *sorted(PACKAGE.rglob("*.py"))]
    content = hashlib.sha256()
    for file in files:
        if not any(part in NOT_TRAINING for part in file.relative_to(PACKAGE.parent).parts):
            content.update(file.read_bytes())
    return content.hexdigest()[:12]


def _row(seed: int, metrics: dict[str, Any]) -> dict[str, Any]:
    return {
        "seed": str(seed),
        "test accuracy": metrics["test"]["accuracy"],
        "test macro F1": metrics["test"]["macro_f1"],
        "validation accuracy": metrics["validation"]["accuracy"],
        "seconds": metrics["train"]["seconds"],
        "examples/s": metrics["train"]["examples_per_second"],
    }


if __name__ == "__main__":
    typer.run(main)
