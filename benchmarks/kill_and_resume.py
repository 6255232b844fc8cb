"""A run killed with SIGKILL at random moments and resumed ends as one never killed, bit for bit.

    python benchmarks/kill_and_resume.py [--engine jax] [--kills 5] [--seed 0]

Trains a small BERT on banking questions in child processes (`keras-ft train`). One of the kills falls while a
checkpoint is being written. Prints where each process was killed and from which step the next went on, and exits with
1 where a weight differs. Takes 5 minutes on 2 cores.
"""

import argparse
import csv
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import h5py
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT)]  # tests.tiny

from report import Bar, machine, publish  # noqa: E402

from tests.tiny import TOKENS  # noqa: E402

DATA = ROOT / "pipelines" / "intent" / "data" / "train.jsonl"
STEPS, SAVED_EVERY = 400, 20
LONGEST = 600.0  # seconds that one process may take
WEIGHTS = "model/model.weights.h5"
RECIPE = f"""
task: classification
backbone: {{family: bert, vocabulary: vocab.txt, num_layers: 4, num_heads: 4, hidden_dim: 256, intermediate_dim: 1024}}
data: {{train: {DATA}, max_length: 32}}
train:
  steps: {STEPS}
  batch_size: 8
  evaluate_every: 150 steps
  checkpoint: {{every: {SAVED_EVERY} steps}}
  callbacks: ["keras.callbacks:History"]
logging: {{every: 1}}
"""


def start(recipe: Path, run: Path, engine: str) -> subprocess.Popen:
    """`keras-ft train` in a process of its own."""
    command = [sys.executable, "-m", "keras_ft", "train", str(recipe), "--out", str(run)]
    if engine != "tensorflow":
        command += ["--set", f"runtime.engine={engine}"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def logged_step(run: Path) -> int:
    """The last step in log.csv, 0 if there is none."""
    try:
        with (run / "log.csv").open(newline="", encoding="utf-8") as file:
            steps = [int(row["step"]) for row in csv.DictReader(file) if row["loss"]]
    except (OSError, ValueError, TypeError, KeyError):  # just being written
        return 0
    return max(steps, default=0)


def is_saving(run: Path) -> bool:
    """Whether a checkpoint is half written."""
    return any((run / "checkpoints").glob("step-*.writing"))


def kill_at(process: subprocess.Popen, run: Path, step: int, while_saving: bool) -> bool:
    """Kill a process once it has logged a step and, if asked, is writing a checkpoint; says whether it was writing."""
    deadline = time.monotonic() + LONGEST
    while logged_step(run) < step or (while_saving and not is_saving(run)):
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            raise SystemExit(f"the run ended before step {step}: {process.communicate()[1][-2000:]}")
        time.sleep(0.0005)
    process.send_signal(signal.SIGKILL)
    return is_saving(run)


def resumed_from(errors: str) -> int:
    """The step that a process said it goes on from, 0 for a new run."""
    found = re.search(r"Resuming from step (\d+)", errors)
    return int(found[1]) if found else 0


def finish(process: subprocess.Popen) -> str:
    """What a process that is not killed said."""
    _, errors = process.communicate(timeout=LONGEST)
    if process.returncode:
        raise SystemExit(f"exit code {process.returncode}: {errors[-2000:]}")
    return errors


def weights(run: Path) -> dict[str, np.ndarray]:
    """Every array of a finished run's model."""
    found: dict[str, np.ndarray] = {}
    with h5py.File(run / WEIGHTS) as file:
        file.visititems(lambda name, item: found.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None)
    return found


def kill_and_resume(recipe: Path, folder: Path, engine: str, steps: list[int]) -> list[dict[str, Any]]:
    """Kill a run at these logged steps, the second time while it saves, then let it end; a row for every process."""
    run, rows = folder / "killed", []
    for number, step in enumerate([*steps, None]):
        process = start(recipe, run, engine)
        if step is None:
            rows.append({"process": number + 1, "resumed from": resumed_from(finish(process)), "killed at": "finished"})
            break
        saving = kill_at(process, run, step, while_saving=number == 1)
        errors = process.communicate()[1]
        killed = f"{logged_step(run)}{' while saving' if saving else ''}"
        rows.append({"process": number + 1, "resumed from": resumed_from(errors), "killed at": killed})
        print(f"process {number + 1}: from step {rows[-1]['resumed from']}, killed at step {killed}", flush=True)
    return rows


def differing(ours: dict[str, np.ndarray], theirs: dict[str, np.ndarray]) -> list[str]:
    """Names of the arrays that are not the same in every bit."""
    names = ours.keys() | theirs.keys()
    return sorted(n for n in names if n not in ours or n not in theirs or ours[n].tobytes() != theirs[n].tobytes())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", choices=["tensorflow", "jax"], default="tensorflow")
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    options = parser.parse_args()
    before, chosen = machine(), random.Random(options.seed)
    steps = sorted(chosen.sample(range(SAVED_EVERY, STEPS - 2 * SAVED_EVERY), options.kills))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        recipe = folder / "recipe.yaml"
        recipe.write_text(RECIPE, encoding="utf-8")
        (folder / "vocab.txt").write_text("".join(f"{token}\n" for token in TOKENS), encoding="utf-8")
        rows = kill_and_resume(recipe, folder, options.engine, steps)
        finish(start(recipe, folder / "whole", options.engine))
        wrong = differing(weights(folder / "killed"), weights(folder / "whole"))
    for name in wrong:
        print(f"differs: {name}")
    bars = [Bar("arrays that differ", 0, len(wrong), at_most=True)]
    title = f"Killed and resumed, {options.engine}, {STEPS} steps, a checkpoint every {SAVED_EVERY}"
    publish(f"kill_and_resume_{options.engine}", title, rows, bars, before)


if __name__ == "__main__":
    main()
