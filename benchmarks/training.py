"""Examples trained on a second, in whole epochs: `keras-ft train`, transformers and torch, and keras-hub's `fit`.

    python benchmarks/training.py --torch PYTHON_WITH_TORCH

All sides fine-tune the same MiniLM-L6 on the same texts of SST-2, then of AG News, cut at 128 tokens, in batches of 32
with drop-out 0.1, AdamW and gradients clipped to norm 1, each in a process of its own. A round is an epoch of each.
Texts are tokenized once before and not timed, except keras-hub's, whose `fit` tokenizes in its input pipeline (which
costs it little). keras-hub pads all to 128, so that its speed hangs on no length; it gets the first texts only. Takes
about 40 minutes on two cores. transformers is given a plain loop, which is no slower than its Trainer (`--trainer`).
"""

import os
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
        speeds, cpu = measure(subset, subset[:examples_keras_hub], torch, trainer, rounds)
        rows += _rows(texts.NAMES[name], speeds, cpu)
        bars += _bars(texts.NAMES[name], speeds)
    title = f"Training in batches of 32, epochs of {examples} texts"
    publish("training", title, rows, bars, before)


def measure(subset: list[dict], small: list[dict], torch: str, trainer: bool, rounds: int) -> tuple[Speeds, Speeds]:
    """Examples a second of every contender in every round, and examples a second of CPU time."""
    from minilm import write_untrained

    with ExitStack() as open_until_done:
        scratch = Path(open_until_done.enter_context(tempfile.TemporaryDirectory()))
        model = write_untrained(sorted({str(row["label"]) for row in subset}), scratch)
        file, few = texts.write_file(subset, scratch / "rows.jsonl"), texts.write_file(small, scratch / "few.jsonl")
        commands = _commands(torch, trainer, model, file, few)
        contenders = {name: open_until_done.enter_context(Contender(*command)) for name, command in commands.items()}
        turns = {name: lambda number, it=contender: it.measure() for name, contender in contenders.items()}
        alternate(turns, rounds=1)  # tracing, and whatever else comes but once
        return alternate(turns, rounds), {name: it.cpu_speeds[-rounds:] for name, it in contenders.items()}


def _commands(torch: str, trainer: bool, model: Path, file: Path, few: Path) -> dict[str, tuple]:
    from sys import executable

    commands: dict[str, tuple] = {}
    for precision in PRECISIONS:
        commands[f"keras_ft {precision}"] = (executable, "training_keras.py", "keras_ft", precision, file)
        for words, sampling in SAMPLINGS.items():
            for loop, what in {"loop": "transformers", "trainer": "Trainer"}.items():
                if loop == "loop" or trainer:
                    rest = (loop, precision, sampling, model, file)
                    commands[f"{what} {precision}{words}"] = (torch, "training_torch.py", *rest)
    for name, arguments in KERAS_HUB.items():
        commands[name] = (executable, "training_keras.py", *arguments, few)
    return commands


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

    bars = []
    for (words, precision), least in LEAST.items():
        both = (f"{loop} {precision}{words}" for loop in ("transformers", "Trainer"))
        rivals = {name: speeds[name] for name in both if name in speeds}
        bars.append(bar(precision, fastest(rivals), least))
    for precision in PRECISIONS:
        rivals = {name: speeds[name] for name in KERAS_HUB if precision in name}
        bars.append(bar(precision, fastest(rivals), LEAST_KERAS_HUB))
    return bars


if __name__ == "__main__":
    typer.run(main)
