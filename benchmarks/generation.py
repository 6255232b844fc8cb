"""Tokens written a second: exports of keras_ft through a Session, beside transformers, keras-hub and bare products.

    python benchmarks/generation.py --torch PYTHON_WITH_TORCH

All have the same random weights, those of a GPT-2 of 82 million parameters, and continue the same prompts of 32 tokens
greedily by 64 tokens, each in a process of its own: keras_ft strings in, texts out, with 1,024 positions; transformers'
`generate` and keras-hub's `generate_step` (in a SavedModel with a cache of 96) ids in, ids out. `ceiling.py` says what
the bare products are. One more of ours has room for 128 tokens only. All are started twice, in opposite orders: of
equal processes, the one that was started first was the slower. One text is also written with `prompt_lookup_num_tokens`
at 0 by us, and at 10 by transformers. Takes 16 minutes on two cores.
"""

import os
import sys
import tempfile
from collections import defaultdict
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import typer
from ceiling import REQUESTS, ceiling_commands
from contender import Contender
from generation_model import NEW_TOKENS, PROMPT, QUICK, SIZES, trained_model, write_model, write_prompts
from report import RESULTS, Bar, machine, publish
from rounds import alternate, fastest, times_faster

from keras_ft.huge_pages import use_huge_pages

FLOAT32, BFLOAT16 = OURS = ("keras_ft float32", "keras_ft bfloat16")
SMALL_ROOM = "keras_ft float32, room for 128"
ONE_AT_A_TIME = "keras_ft float32, no lookup"
TORCH, KERAS_HUB = "transformers float32", "keras-hub float32"
TORCH_LOOKUP = "transformers float32, lookup"
FOR_ONE_TEXT = (ONE_AT_A_TIME, TORCH_LOOKUP)
LOOKUP = "10"  # tokens, as in transformers' own examples
LEAST = {  # batch size, ours, theirs
    (1, FLOAT32, TORCH): 1.4,
    (1, FLOAT32, KERAS_HUB): 0.95,
    (8, FLOAT32, TORCH): 1.5,
    (8, FLOAT32, KERAS_HUB): 1.1,
    (8, BFLOAT16, TORCH): 2.2,
}
LEAST_OF_PRODUCTS = 0.8
PRODUCTS = {(1, ONE_AT_A_TIME): "float32", (8, FLOAT32): "float32", (8, BFLOAT16): "bfloat16"}
LEAST_WITH_ROOM = 0.95  # that is, the same but for noise

Speeds = dict[str, list[float]]


def main(
    torch: Annotated[str, typer.Option(help="a Python that has torch and transformers")],
    rounds: Annotated[int, typer.Option(help="behind each start")] = 3,
    quick: Annotated[bool, typer.Option("--quick", help="a small model, one round; writes no result")] = False,
) -> None:
    """Measure, print, and write results/generation.json."""
    use_huge_pages()  # as keras-ft does; all sides inherit it
    before = machine()
    os.environ["KERAS_BACKEND"] = "tensorflow"
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    rounds = 1 if quick else rounds
    rows, bars = [], []
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        prompts = write_prompts(scratch / "prompts.jsonl")
        commands = prepare(scratch, prompts, torch, QUICK if quick else SIZES)
        for batch_size, (speeds, cpu) in measure(commands, rounds).items():
            rows += [_row(batch_size, name, values, cpu[name]) for name, values in speeds.items()]
            bars += _bars(batch_size, speeds)
        title = f"Writing {NEW_TOKENS} tokens behind {PROMPT}, greedily"
        publish("generation", title, rows, bars, before, scratch if quick else RESULTS)


def prepare(scratch: Path, prompts: Path, torch: str, sizes: dict[str, int]) -> dict[str, tuple]:
    """Write every format of the model; returns the command of each contender."""
    from generation_keras_hub import export_writer

    from keras_ft.export.saved_model import write_saved_model

    folder = write_model(scratch / "hugging-face", sizes)
    trained = trained_model(folder, max_new_tokens=NEW_TOKENS)
    small = write_model(scratch / "small", {**sizes, "max_sequence_length": 128})
    models = {FLOAT32: trained, BFLOAT16: trained, SMALL_ROOM: trained_model(small, max_new_tokens=NEW_TOKENS)}
    models[ONE_AT_A_TIME] = trained_model(folder, max_new_tokens=NEW_TOKENS, prompt_lookup_num_tokens=0)
    for name, model in models.items():
        write_saved_model(model, scratch / name, name.removeprefix("keras_ft ").split(",")[0], None)
    export_writer(trained.pretrained.backbone, PROMPT + NEW_TOKENS, scratch / KERAS_HUB)
    session = (sys.executable, "generation_session.py")
    commands: dict[str, tuple] = {name: (*session, "keras_ft", scratch / name, prompts) for name in models}
    commands[TORCH] = (torch, "generation_torch.py", folder, prompts)
    commands[TORCH_LOOKUP] = (*commands[TORCH], LOOKUP)
    commands[KERAS_HUB] = (*session, "keras_hub", scratch / KERAS_HUB, prompts)
    return commands | ceiling_commands(scratch, prompts, sizes)


def measure(commands: dict[str, tuple], rounds: int) -> dict[int, tuple[Speeds, Speeds]]:
    """Start all contenders and measure; and once more, started in the opposite order.

    Returns:
        Batch size → tokens a second of every contender in every round, and tokens a second of CPU time.
    """
    found: dict[int, tuple[Speeds, Speeds]] = {size: (defaultdict(list), defaultdict(list)) for size in REQUESTS}
    for names in (list(commands), list(reversed(commands))):
        with ExitStack() as open_until_done:
            contenders = {name: open_until_done.enter_context(Contender(*commands[name])) for name in names}
            for batch_size, requests in REQUESTS.items():
                theirs = {n: c for n, c in contenders.items() if batch_size == 1 or n not in FOR_ONE_TEXT}
                measured = _in_turn(theirs, batch_size, requests, rounds)
                for all_starts, this_start in zip(found[batch_size], measured, strict=True):
                    for name in theirs:
                        all_starts[name] += this_start[name]
    return found


def _in_turn(contenders: dict[str, Contender], batch_size: int, requests: int, rounds: int) -> tuple[Speeds, Speeds]:
    request = {"batch_size": batch_size, "requests": requests, "new_tokens": NEW_TOKENS}
    turns = {n: lambda number, it=c: it.measure(number=number, **request) for n, c in contenders.items()}
    alternate(turns, rounds=1)  # warm-up
    return alternate(turns, rounds), {name: it.cpu_speeds[-rounds:] for name, it in contenders.items()}


def _row(batch_size: int, name: str, speeds: list[float], cpu: list[float]) -> dict[str, Any]:
    return {
        "model": name,
        "batch": batch_size,
        "tokens/s": median(speeds),
        "ms/step": 1000 * batch_size / median(speeds),
        "tokens/CPU-s": median(cpu),
        "rounds": [round(speed, 2) for speed in speeds],
    }


def _bars(batch_size: int, speeds: Speeds) -> list[Bar]:
    where, bars = f"batch {batch_size}", []
    for (size, ours, theirs), least in LEAST.items():
        if size == batch_size:
            bars.append(Bar(f"{where}: {ours} ÷ {theirs}", least, times_faster(speeds[ours], speeds[theirs])))
    for (size, ours), dtype in PRODUCTS.items():
        if size == batch_size:
            products = fastest({name: v for name, v in speeds.items() if name.startswith(f"products {dtype}")})
            ratio = times_faster(speeds[ours], speeds[products])
            bars.append(Bar(f"{where}: {ours} ÷ {products}", LEAST_OF_PRODUCTS, ratio))
    ratio = times_faster(speeds[FLOAT32], speeds[SMALL_ROOM])
    return [*bars, Bar(f"{where}: {FLOAT32}, room for 1,024 ÷ room for 128", LEAST_WITH_ROOM, ratio)]


if __name__ == "__main__":
    typer.run(main)
