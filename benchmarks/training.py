"""Examples trained on a second: `keras-ft train` beside `fit` of keras-hub's classifier.

    python benchmarks/training.py

Takes about 12 minutes on two cores. Both sides fine-tune MiniLM-L6 on the same shuffled texts of SST-2 in batches of
32 with drop-out 0.1 and AdamW, each in a process of its own; `training_contender.py` says how.
"""

from contextlib import ExitStack
from pathlib import Path
from statistics import median

import sst2
import typer
from contender import Contender
from report import Bar, machine, publish
from rounds import alternate, fastest, times_faster

SCRIPT = Path(__file__).with_name("training_contender.py")
BATCH_SIZE = 32
CONTENDERS = {
    "keras_ft float32": ("keras_ft", "float32"),
    "keras-hub float32": ("keras_hub", "float32"),
    "keras_ft bfloat16": ("keras_ft", "bfloat16"),
    "keras-hub bfloat16": ("keras_hub", "bfloat16"),
    "keras-hub float32, XLA": ("keras_hub_xla", "float32"),
}


def main(rounds: int = 12, steps: int = 12) -> None:
    """Measure rounds of so many steps, print, and write results/training.json."""
    before = machine()
    sst2.read("train")
    with ExitStack() as processes:
        contenders = {
            name: processes.enter_context(Contender(SCRIPT, [*arguments, str(steps)], steps * BATCH_SIZE))
            for name, arguments in CONTENDERS.items()
        }
        speeds = alternate({name: contender.measure for name, contender in contenders.items()}, rounds)
    rivals = {precision: fastest(_rivals(speeds, precision)) for precision in ("float32", "bfloat16")}
    rows = [
        {
            "model": name,
            "examples/s": median(values),
            **{f"× keras-hub {p}": times_faster(values, speeds[rival]) for p, rival in rivals.items()},
            "rounds": [round(speed, 2) for speed in values],
        }
        for name, values in speeds.items()
    ]
    what = "Speed of keras_ft float32, in multiples of keras-hub's best in float32"
    bar = Bar(what, 2.5, times_faster(speeds["keras_ft float32"], speeds[rivals["float32"]]))
    publish("training", "Training on SST-2 in batches of 32", rows, [bar], before)


def _rivals(speeds: dict[str, list[float]], precision: str) -> dict[str, list[float]]:
    return {name: values for name, values in speeds.items() if name.startswith(f"keras-hub {precision}")}


if __name__ == "__main__":
    typer.run(main)
