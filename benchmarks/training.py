"""Examples trained on a second, in whole epochs: `keras-ft train`, transformers and torch, and keras-hub's `fit`.

    python benchmarks/training.py --torch PYTHON_WITH_TORCH

All sides fine-tune the same MiniLM-L6 on the same texts of SST-2, then of AG News, cut at 128 tokens, in batches of 32
with drop-out 0.1, AdamW and gradients clipped to norm 1, each in a process of its own. A round is an epoch of each.
Texts are tokenized once before and not timed, except keras-hub's, whose `fit` tokenizes in its input pipeline (which
costs it little). keras-hub pads all to 128, so that its speed hangs on no length; it gets the first texts only. Takes
about 40 minutes on two cores. transformers is given a plain loop, which is no slower than its Trainer (`--trainer`).
"""

import os
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import texts
import typer
from contender import Contender
from report import Bar, machine, publish
from rounds import alternate, fastest, times_faster

PRECISIONS = ("float32", "bfloat16")
KERAS_HUB = {
    "keras-hub fit float32": ("keras_hub", "float32"),
    "keras-hub fit float32, XLA": ("keras_hub_xla", "float32"),
    "keras-hub fit bfloat16": ("keras_hub", "bfloat16"),
    "keras-hub fit bfloat16, XLA": ("keras_hub_xla", "bfloat16"),
}
SAMPLINGS = {"": "random", ", grouped by length": "group_by_length"}
LEAST = {("", "float32"): 1.9, ("", "bfloat16"): 1.2} | {
    (", grouped by length", "float32"): 1.4,
    (", grouped by length", "bfloat16"): 1.0,
}
LEAST_KERAS_HUB = 3.5

Speeds = dict[str, list[float]]


def main(
    torch: Annotated[str, typer.Option(help="a Python that has torch and transformers")],
    rounds: int = 5,
    examples: int = 2048,
    examples_keras_hub: int = 256,
    trainer: Annotated[bool, typer.Option(help="measure transformers' Trainer too")] = False,
    data: Annotated[list[str], typer.Option()] = list(texts.NAMES),  # noqa: B006, typer wants a list
) -> None:
    """Measure rounds of whole epochs, print, and write results/training.json."""
    before = machine()
    os.environ["KERAS_BACKEND"] = "tensorflow"
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    rows, bars = [], []
    for name in data:
        subset = texts.read(name, "train")[:examples]
        ours: dict[str, Any] = {}
        for rivals in (torch_rivals(torch, trainer), KERAS_HUB):
            speeds, cpu = measure(subset, subset[:examples_keras_hub], rivals, rounds)
            found = _rows(texts.NAMES[name], speeds, cpu)
            rows += [row for row in found if row["model"] not in ours]
            ours = {row["model"]: row for row in found if row["model"].startswith("keras_ft")}
            bars += _bars(texts.NAMES[name], speeds)
        print(*rows, sep="\n", file=sys.stderr, flush=True)
    title = f"Training in batches of 32, epochs of {examples} texts"
    publish("training", title, rows, bars, before)


def torch_rivals(torch: str, trainer: bool) -> dict[str, tuple]:
    """Name → how to start it, but for the model and the texts."""
    loops = {"loop": "transformers", "trainer": "Trainer"} if trainer else {"loop": "transformers"}
    return {
        f"{what} {precision}{words}": (torch, "training_torch.py", loop, precision, sampling)
        for precision in PRECISIONS
        for words, sampling in SAMPLINGS.items()
        for loop, what in loops.items()
    }


def measure(subset: list[dict], small: list[dict], rivals: dict[str, tuple], rounds: int) -> tuple[Speeds, Speeds]:
    """Examples a second of keras_ft and some rivals in every round, and examples a second of CPU time.

    Not of all rivals at once: their processes together take more memory than small machines have.
    """
    from minilm import write_untrained

    with ExitStack() as open_until_done:
        scratch = Path(open_until_done.enter_context(tempfile.TemporaryDirectory()))
        model = write_untrained(sorted({str(row["label"]) for row in subset}), scratch)
        file, few = texts.write_file(subset, scratch / "rows.jsonl"), texts.write_file(small, scratch / "few.jsonl")
        ours = {f"keras_ft {p}": (sys.executable, "training_keras.py", "keras_ft", p, file) for p in PRECISIONS}
        theirs = {
            name: (sys.executable, "training_keras.py", *command, few)
            if rivals is KERAS_HUB
            else (*command, model, file)
            for name, command in rivals.items()
        }
        commands = {**ours, **theirs}
        contenders = {name: open_until_done.enter_context(Contender(*command)) for name, command in commands.items()}
        turns = {name: lambda number, it=contender: it.measure() for name, contender in contenders.items()}
        alternate(turns, rounds=1)  # tracing, and whatever else comes but once
        return alternate(turns, rounds), {name: it.cpu_speeds[-rounds:] for name, it in contenders.items()}


def _rows(data: str, speeds: Speeds, cpu: Speeds) -> list[dict[str, Any]]:
    return [
        {
            "data": data,
            "model": name,
            "examples/s": median(values),
            "examples/CPU-s": median(cpu[name]),
            "keras_ft float32 ×": times_faster(speeds["keras_ft float32"], values),
            "keras_ft bfloat16 ×": times_faster(speeds["keras_ft bfloat16"], values),
            "rounds": [round(speed, 2) for speed in values],
        }
        for name, values in speeds.items()
    ]


def _bars(data: str, speeds: Speeds) -> list[Bar]:
    def bar(precision: str, rival: str, least: float) -> Bar:
        found = times_faster(speeds[f"keras_ft {precision}"], speeds[rival])
        return Bar(f"{data}: keras_ft {precision} ÷ {rival}", least, found)

    groups = [
        ([f"{loop} {p}{words}" for loop in ("transformers", "Trainer")], p, at) for (words, p), at in LEAST.items()
    ]
    groups += [([name for name in KERAS_HUB if p in name], p, LEAST_KERAS_HUB) for p in PRECISIONS]
    measured = [([name for name in names if name in speeds], p, least) for names, p, least in groups]
    return [bar(p, fastest({name: speeds[name] for name in names}), least) for names, p, least in measured if names]


if __name__ == "__main__":
    typer.run(main)
