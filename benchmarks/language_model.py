"""A language model from scratch: tokens trained on a second, and the loss on held-out text, against transformers.

    python benchmarks/language_model.py --torch PYTHON_WITH_TORCH

All sides train one small GPT-2 over GPT-2's 50,257 tokens on Tiny Shakespeare, in blocks of 256 tokens and batches of
8, with drop-out 0.1, AdamW, a linear schedule with warm-up and gradients clipped to norm 1, from the same random
weights, each in a process of its own. A round is so many steps of each; the loss is that of the whole of test.txt
behind the last round. Takes an hour on two cores.
"""

import os
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import typer
from contender import Contender
from language_model_data import CORPORA, write_start
from report import RESULTS, Bar, machine, publish
from rounds import alternate, times_faster

from keras_ft.huge_pages import use_huge_pages

OURS = {
    "keras_ft float32": ("tensorflow", "float32"),
    "keras_ft on JAX float32": ("jax", "float32"),
    "keras_ft bfloat16": ("tensorflow", "bfloat16"),
}
TORCH = {"transformers float32": "float32", "transformers bfloat16": "bfloat16"}
REFERENCE = "transformers float32"
LEAST_SPEED, MOST_LOSS_APART = 1.5, 0.02


def main(
    torch: Annotated[str, typer.Option(help="a Python that has torch and transformers")],
    rounds: int = 10,
    steps: Annotated[int, typer.Option(help="of a round")] = 60,
    only: Annotated[str, typer.Option(help="of the models those whose name ends so; writes no result")] = "",
    corpora: Annotated[Path, typer.Option(help="holds tiny_shakespeare/")] = CORPORA,
) -> None:
    """Measure, print, and write results/language_model.json."""
    use_huge_pages()  # as keras-ft does; all sides inherit it
    before = machine()
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    with ExitStack() as open_until_done:
        folder = Path(open_until_done.enter_context(tempfile.TemporaryDirectory()))
        write_start(corpora, folder)
        plan = (rounds + 1, steps, folder)
        commands = {
            name: (sys.executable, "language_model_keras.py", engine, precision, corpora, *plan)
            for name, (engine, precision) in OURS.items()
        }
        commands |= {name: (torch, "language_model_torch.py", precision, *plan) for name, precision in TORCH.items()}
        commands = {name: command for name, command in commands.items() if name.endswith(only)}
        contenders = {name: open_until_done.enter_context(Contender(*command)) for name, command in commands.items()}
        turns = {name: lambda number, it=contender: it.measure() for name, contender in contenders.items()}
        alternate(turns, rounds=1)  # tracing, compiling, and the first touch of memory
        speeds = alternate(turns, rounds)
        losses = {name: contender.ask()["loss"] for name, contender in contenders.items()}
    rows = [_row(name, speeds, contenders[name].cpu_speeds[-rounds:], losses[name]) for name in commands]
    title = f"A GPT-2 from scratch on Tiny Shakespeare, {(rounds + 1) * steps} steps of 2,048 tokens"
    with tempfile.TemporaryDirectory() as nowhere:
        publish("language_model", title, rows, _bars(speeds, losses), before, Path(nowhere) if only else RESULTS)


def _row(name: str, speeds: dict[str, list[float]], cpu: list[float], loss: float) -> dict[str, Any]:
    return {
        "model": name,
        "tokens/s": median(speeds[name]),
        "tokens/CPU-s": median(cpu),
        f"× {REFERENCE}": times_faster(speeds[name], speeds[REFERENCE]),
        "test loss": loss,
        "rounds": [round(speed, 1) for speed in speeds[name]],
    }


def _bars(speeds: dict[str, list[float]], losses: dict[str, float]) -> list[Bar]:
    bars = []
    for name in [name for name in OURS if name in losses]:
        precision = OURS[name][1]
        rival = f"transformers {precision}"
        bars.append(Bar(f"{name} ÷ {rival}: tokens/s", LEAST_SPEED, times_faster(speeds[name], speeds[rival])))
        apart = abs(losses[name] / losses[REFERENCE] - 1)
        bars.append(Bar(f"{name}: its loss and that of {REFERENCE} apart", MOST_LOSS_APART, apart, at_most=True))
    return bars


if __name__ == "__main__":
    typer.run(main)
