"""What `keras-ft serve` goes through without harm: a long soak, swaps of versions, kills, and wrong requests.

    python benchmarks/endurance.py --schemathesis PYTHON [--only soak,swaps,rest,grpc,hostile,kill]

A small BERT classifier is trained, exported and served in a process of its own, with batches, over REST and gRPC, and
asked as fast as it answers (`soak`: 300,000 requests), and while versions come and go (`swaps`: 50). `rest` lets
schemathesis make 10,000 requests out of docs/openapi.json, `grpc` sends 10,000 messages with bytes changed, `hostile`
sends what a scanner would while others ask, and `kill` ends it with `kill -9` and starts it again. PYTHON needs
schemathesis. Takes a quarter of an hour on two cores.
"""

import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Annotated

import texts
import typer
import yaml
from asker import WRONG, Asker, bodies, resident, row
from endurance_wrong import MODEL, MOST_GROWTH, Row, grpc_messages, hostile, rest
from report import Bar, machine, publish

from keras_ft.serving.background import BackgroundServer
from keras_ft.serving.client import Client

sys.path[:0] = [str(Path(__file__).resolve().parents[1])]  # tests.tiny

CONNECTIONS = 16
PARTS = ("soak", "swaps", "rest", "grpc", "hostile", "kill")


def soak(server: BackgroundServer, requests: int) -> tuple[list[Row], list[Bar]]:
    """Memory while requests go on and on, after a third as many for warm-up.

    Each of TensorFlow's threads keeps up to 1,024 kernels that oneDNN made for the shapes it met, and it takes some
    tens of thousands of batches until it has met so many.
    """
    made, seen = bodies(), []
    counts: Counter[str] = Counter()
    for part in [requests / 3, *[requests / 10] * 10]:
        asker = Asker(f"{server.url}{MODEL}:predict", made, CONNECTIONS, part)
        asker.start()
        asker.join()
        seen.append(resident(server.process.pid))
        if len(seen) > 1:
            counts.update(asker.finish())
    growth = 100 * (max(seen) / seen[0] - 1)
    shown = row(f"soak, {requests:,} requests", counts, seen, requests / 10 / asker.seconds)
    return [shown], [Bar("soak: % that memory grew after warm-up", MOST_GROWTH, growth, at_most=True)]


def swaps(server: BackgroundServer, folder: Path, count: int) -> tuple[list[Row], list[Bar]]:
    """New versions under load; each replaces the one before."""
    good = [body for body in bodies() if body != WRONG]
    asker = Asker(f"{server.url}{MODEL}:predict", good, 4)
    asker.start()
    seen, seconds = [resident(server.process.pid)], []
    versions = sorted((int(path.name) for path in folder.iterdir()), reverse=True)
    for version in range(versions[0] + 1, versions[0] + 1 + count):
        began = time.monotonic()
        _publish_version(folder, version)
        while _available(server) != [str(version)]:
            if time.monotonic() - began > 120:
                sys.exit(f"version {version} did not come: {server.log()[-2000:]}")
            time.sleep(0.02)
        seconds.append(time.monotonic() - began)
        shutil.rmtree(folder / str(version - 1))
        seen.append(resident(server.process.pid))
    statuses = asker.finish()
    failed = sum(number for status, number in statuses.items() if status != "200")
    shown = row(f"{count} swaps", statuses, seen, sum(statuses.values()) / asker.seconds)
    return [{**shown, "seconds a swap": [median(seconds)]}], [
        Bar(f"{count} swaps under load: failed requests", 0, failed, at_most=True)
    ]


def kill(server: BackgroundServer, start: Callable[[], BackgroundServer]) -> tuple[list[Row], list[Bar]]:
    """`kill -9` under load, and the same command again."""
    asker = Asker(f"{server.url}{MODEL}:predict", bodies(), 4)
    asker.start()
    time.sleep(2)
    server.process.kill()
    server.process.wait()
    asker.finish()
    began = time.monotonic()
    with start() as again:
        seconds = time.monotonic() - began
        check = Asker(f"{again.url}{MODEL}:predict", bodies()[:99], 4, 1000)
        check.start()
        check.join()
        statuses, memory = check.finish(), resident(again.process.pid)
    shown = {**row("kill -9, started again", statuses, [memory]), "seconds to ready": [seconds]}
    return [shown], [Bar("after kill -9: answers, of 1,000 requests", 1000, statuses.get("200", 0))]


def _publish_version(folder: Path, version: int) -> None:
    """A copy of the newest version, moved into place at once."""
    newest = max(folder.iterdir(), key=lambda path: int(path.name))
    copy = folder.with_name("copy")
    shutil.copytree(newest, copy)
    copy.rename(folder / str(version))


def _available(server: BackgroundServer) -> list[str]:
    return [it["version"] for it in Client(server.url).status("small") if it["state"] == "AVAILABLE"]


def _exported(folder: Path) -> Path:
    """A BERT of 2 layers that has learned from 20 batches of SST-2."""
    from keras_ft.export.export import export
    from keras_ft.recipe_file import load_recipe
    from keras_ft.training.train import train
    from tests.tiny import write_vocabulary

    write_vocabulary(folder / "vocab.txt")
    bert = {"family": "bert", "vocabulary": "vocab.txt", "num_layers": 2, "num_heads": 2}
    recipe = {
        "task": "classification",
        "backbone": {**bert, "hidden_dim": 64, "intermediate_dim": 128},
        "data": {"train": str(texts.path_of("sst2", "train")), "max_length": 64},
        "train": {"steps": 20, "batch_size": 32},
        "logging": {"tensorboard": False},
    }
    (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe), encoding="utf-8")
    train(load_recipe(folder / "recipe.yaml"), folder / "run")
    export(folder / "run", folder / "models" / "small")
    return folder / "models" / "small"


def main(
    schemathesis: Annotated[str | None, typer.Option(help="a Python that has schemathesis")] = None,
    only: Annotated[str, typer.Option(help=f"some of {','.join(PARTS)}")] = ",".join(PARTS),
    requests: Annotated[int, typer.Option(help="of the soak")] = 300_000,
) -> None:
    """Do it, print, and write results/endurance.json."""
    parts = only.split(",")
    unknown = [part for part in parts if part not in PARTS]
    if unknown:
        raise typer.BadParameter(f"--only {unknown[0]}: known are {', '.join(PARTS)}")
    if "rest" in parts and schemathesis is None:
        raise typer.BadParameter("'rest' needs --schemathesis PYTHON")
    before = machine()
    os.environ["KERAS_BACKEND"], os.environ["TF_CPP_MIN_LOG_LEVEL"] = "tensorflow", "3"
    rows: list[Row] = []
    bars: list[Bar] = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = _exported(Path(scratch))

        def start() -> BackgroundServer:
            return BackgroundServer([folder], "--enable-batching", "--poll-seconds", "0.2", "--grpc-port", "0")

        with start() as server:
            run: dict[str, Callable[[], tuple[list[Row], list[Bar]]]] = {
                "soak": lambda: soak(server, requests),
                "swaps": lambda: swaps(server, folder, 50),
                "rest": lambda: rest(server, schemathesis, 10_000),
                "grpc": lambda: grpc_messages(server, 10_000),
                "hostile": lambda: hostile(server),
                "kill": lambda: kill(server, start),
            }
            for part in sorted(parts, key=PARTS.index):
                print(part, file=sys.stderr, flush=True)
                more, found = run[part]()
                rows += more
                bars += found
            log = server.log()
        bars.append(Bar("tracebacks in the server's log", 0, log.count("Traceback"), at_most=True))
        if "Traceback" in log:
            print(log[-3000:], file=sys.stderr)
    publish("endurance", "What the server goes through", rows, bars, before)


if __name__ == "__main__":
    typer.run(main)
