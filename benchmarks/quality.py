"""What the understanding tasks reach beside transformers' own heads: the same rows, epochs, batches, rates and seeds.

    python benchmarks/quality.py --torch PYTHON_WITH_TORCH
    python benchmarks/quality.py --torch PYTHON_WITH_TORCH --only mrpc --side transformers --seed 0
    python benchmarks/quality.py --table

Both sides fine-tune MiniLM-L6 in float32, on at most 4,000 rows of a set, and keep the last weights; one scorer reads
the answers of both. Each run leaves results/quality/SET-SIDE-SEED.json, and a run whose file is there is not run again
unless its settings changed, so that the benchmark can be stopped and started as one likes. Seed 0 of every set comes
first. All runs together take some hours on two cores.
"""

import json
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import mean
from typing import Annotated, Any

import typer
from quality_data import SETS, settings_of
from quality_run import SIDES, run
from report import RESULTS, Bar, machine, publish

KEPT = RESULTS / "quality"
OURS, THEIRS = SIDES
MOST_POINTS_BELOW = 0.5
Run = tuple[str, str, int]


def main(
    torch: Annotated[str | None, typer.Option(help="a Python that has torch and transformers")] = None,
    only: Annotated[list[str] | None, typer.Option(help=f"sets: {', '.join(SETS)}")] = None,
    side: Annotated[list[str] | None, typer.Option(help=f"{OURS} or {THEIRS}")] = None,
    seed: Annotated[list[int] | None, typer.Option()] = None,
    table: Annotated[bool, typer.Option("--table", help="run nothing")] = False,
) -> None:
    """Run what is missing, print what there is, and write results/quality.json."""
    before = machine()
    unknown = [name for name in only or [] if name not in SETS] + [name for name in side or [] if name not in SIDES]
    if unknown:
        raise typer.BadParameter(f"{unknown[0]}: known are {', '.join((*SETS, *SIDES))}")
    for name, which, number in [] if table else runs():
        asked = name in (only or [name]) and which in (side or [which]) and number in (seed or [number])
        if asked and result(name, which, number) is None:
            if which == THEIRS and torch is None:
                raise typer.BadParameter(f"{name} with {THEIRS} is still to be run: give --torch PYTHON_WITH_TORCH")
            print(f"{name}, {which}, seed {number}", file=sys.stderr, flush=True)
            found = {"command": shlex.join(["python", *sys.argv]), **run(name, which, number, torch)}
            KEPT.mkdir(parents=True, exist_ok=True)
            path_of(name, which, number).write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    rows = [row for name in SETS for row in rows_of_set(name)]
    if not rows:
        sys.exit("There is no result yet")
    title = "Understanding tasks, MiniLM-L6, in points; means over the seeds that both sides have"
    publish("quality", title, rows, [bar for row in rows if (bar := bar_of(row))], before)


def runs() -> Iterator[Run]:
    """Every run there is to be, seed 0 of every set first."""
    for seed in range(max(it.seeds for it in SETS.values())):
        for side in reversed(SIDES):
            for name, it in SETS.items():
                if seed < it.seeds and not (side == THEIRS and it.rival):
                    yield name, side, seed


def path_of(name: str, side: str, seed: int) -> Path:
    return KEPT / f"{name}-{side}-{seed}.json"


def result(name: str, side: str, seed: int) -> dict[str, Any] | None:
    """What a run left, if its settings are today's."""
    if side == THEIRS:
        name = SETS[name].rival or name
    path = path_of(name, side, seed)
    if not path.is_file():
        return None
    found = json.loads(path.read_text(encoding="utf-8"))
    return found if found["settings"] == settings_of(name, seed) else None


def rows_of_set(name: str) -> Iterator[dict[str, Any]]:
    """A row for each metric that is compared."""
    found = {side: {k: it for k in range(SETS[name].seeds) if (it := result(name, side, k))} for side in SIDES}
    both = [k for k in found[OURS] if k in found[THEIRS]]
    for metric in SETS[name].compared if found[OURS] or found[THEIRS] else ():
        points = {side: [it["metrics"][metric] for it in of.values()] for side, of in found.items()}
        compared = {side: mean(found[side][k]["metrics"][metric] for k in both) if both else None for side in SIDES}
        difference = compared[OURS] - compared[THEIRS] if both else None
        yield {
            "set": SETS[name].title,
            "metric": metric,
            **{side: compared[side] if both else mean(of) if of else "–" for side, of in points.items()},
            "difference": "–" if difference is None else difference,
            "seeds": str(len(both) or max(len(of) for of in points.values())),
            **{f"{side} by seed": of for side, of in points.items()},
        }


def bar_of(row: dict[str, Any]) -> Bar | None:
    """The promise on a row that both sides have."""
    if row["difference"] == "–":
        return None
    return Bar(f"{row['set']}, {row['metric']}: {OURS} − {THEIRS}", -MOST_POINTS_BELOW, row["difference"])


if __name__ == "__main__":
    typer.run(main)
