"""Requests a second that a server bears: `keras-ft serve` beside FastAPI with transformers and with onnxruntime.

    python benchmarks/load.py --torch PYTHON

All have the same weights, MiniLM-L6 trained on SST-2 (or `--run RUN`, whose pooling must be `pooler`), and get
SST-2's test texts, one a request, as a Poisson process at a rate that does not wait for answers. The highest rate at
which each answers everything and 99 of 100 within 200 ms is looked for; server and load share the machine's cores.
Then keras_ft gets twice its rate for `--overload` seconds, and its own rate again. PYTHON needs torch, transformers,
onnx, onnxscript, onnxruntime, fastapi, uvicorn and httptools. Takes about ten minutes on two cores.
"""

import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import texts
import typer
from asker import resident
from report import RESULTS, Bar, machine, publish

from serving import train

HERE = Path(__file__).parent
LATENCY_MS = 200.0
SECONDS = 8.0
MOST_GROWTH = 2.0  # % of memory
FIRST_RATE, STEP, FINER = 40.0, 1.5, 1.1
OURS = {"keras_ft float32": "float32", "keras_ft bfloat16": "bfloat16"}
LAST = list(OURS)[-1]  # gets the overload
LEAST = {"FastAPI, transformers float32": 3.0, "FastAPI, onnxruntime int8": 1.2}
QUEUE_DELAY = 0.1  # seconds that a request of ours may be expected to wait
Command = list[str | Path]


def main(
    torch: Annotated[str, typer.Option(help="a Python that has torch, onnxruntime, fastapi and the rest")],
    run: Annotated[Path | None, typer.Option(help="a finished run on SST-2 with `pooling: pooler`")] = None,
    only: Annotated[list[str] | None, typer.Option(help="servers, of this file's names")] = None,
    overload: Annotated[float, typer.Option(help="seconds at twice the rate")] = 300.0,
) -> None:
    """Measure, print, and write results/load.json."""
    before = machine()
    os.environ["KERAS_BACKEND"], os.environ["TF_CPP_MIN_LOG_LEVEL"] = "tensorflow", "3"
    rows, bars = [], []
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        asked = [row["text"] for row in texts.read("sst2", "test")]
        bodies = {
            "keras_ft": _bodies(folder / "ours", [{"instances": [text]} for text in asked]),
            "FastAPI": _bodies(folder / "theirs", [{"text": text} for text in asked]),
        }
        best: dict[str, float] = {}
        for name, command in servers(run or trained(), folder, torch).items():
            if name not in (only or [name]):
                continue
            path, body = paths(name), bodies[name.split(",")[0].split()[0]]
            with served(command, path) as (url, process):
                found = highest(lambda rate, url=url, body=body: load(url, body, rate, SECONDS), name)
                best[name] = found["answers a second"]
                rows.append({"server": name, "load": "highest", **shown(found)})
                if name == LAST:
                    rows += (lines := overloaded(url, body, found["rate"], overload, process))
                    memory = lines[0]["MB"]
                    more = f"twice the rate, {overload:g} s"
                    growth = 100 * (max(memory) / memory[0] - 1)
                    again = lines[1]["answers a second"] / best[name]
                    bars += [
                        Bar(f"{more}: p99 in ms of what is accepted", 2 * LATENCY_MS, lines[0]["p99 ms"], at_most=True),
                        Bar(f"{more}: % that memory grew after its first tenth", MOST_GROWTH, growth, at_most=True),
                        Bar("5 s later: answers a second ÷ those of the highest load", 0.95, again),
                    ]
        bars += [
            Bar(f"{best_of_ours(best)} ÷ {name}", least, best[best_of_ours(best)] / best[name])
            for name, least in LEAST.items()
            if name in best and set(best) & set(OURS)
        ]
    publish("load", f"Requests a second at p99 ≤ {LATENCY_MS:g} ms, SST-2, open loop", rows, bars, before)


def trained() -> Path:
    """A run of one epoch on SST-2, kept for the next time."""
    scratch = RESULTS / "cache" / "load"
    return scratch / "trained" if (scratch / "trained" / "metrics.json").is_file() else train(scratch)


def servers(run: Path, folder: Path, torch: str) -> dict[str, Callable[[int], Command]]:
    """Every server by name: its command, given a port."""
    from keras_ft.export.convert import convert
    from keras_ft.export.export import export

    model = convert(run, folder / "hugging-face", "hugging-face").folder
    float32, int8 = folder / "float32.onnx", folder / "int8.onnx"
    for script, *files in (("onnx_export.py", model, float32), ("onnx_quantize.py", float32, int8)):
        subprocess.run([torch, str(HERE / script), *map(str, files)], check=True, capture_output=True)
    commands: dict[str, Callable[[int], Command]] = {
        "FastAPI, transformers float32": lambda port: [
            torch,
            HERE / "load_fastapi.py",
            "transformers",
            model,
            str(port),
        ],
        "FastAPI, onnxruntime int8": lambda port: [
            torch,
            HERE / "load_fastapi.py",
            "onnxruntime",
            int8,
            model,
            str(port),
        ],
    }
    for name, dtype in OURS.items():
        exported = folder / dtype / "sst2"
        export(run, exported, dtype=dtype)
        options = ["--enable-batching", "--max-queue-delay", str(QUEUE_DELAY)]
        serve: Command = [sys.executable, "-m", "keras_ft", "serve", exported, *options, "--rest-port"]
        commands[name] = lambda port, serve=serve: [*serve, str(port)]
    return commands


def paths(name: str) -> str:
    """Where a server is asked."""
    return "/v1/models/sst2:predict" if name in OURS else "/predict"


def best_of_ours(best: dict[str, float]) -> str:
    """The faster of our exports."""
    return max((name for name in OURS if name in best), key=best.__getitem__)


@contextmanager
def served(command: Callable[[int], Command], path: str) -> Iterator[tuple[str, int]]:
    """The URL to ask and the process, while the server runs."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = {**os.environ, "PYTHONPATH": str(HERE.parent)}
    process = subprocess.Popen([str(part) for part in command(port)], env=environment, stderr=subprocess.PIPE)
    try:
        deadline = time.monotonic() + 120
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/openapi.json", timeout=5).close()
                break
            except urllib.error.HTTPError:  # it answers
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > deadline:
                    sys.exit(f"{command(port)} did not start: {process.stderr.read().decode()[-2000:]}")
                time.sleep(0.2)
        yield f"http://127.0.0.1:{port}{path}", process.pid
    finally:
        process.terminate()
        process.communicate()


def load(url: str, bodies: Path, rate: float, seconds: float) -> dict[str, Any]:
    """One load by a process of its own."""
    command = [sys.executable, HERE / "load_generator.py", url, bodies, rate, seconds]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr[-2000:])
    return json.loads(done.stdout)


def is_borne(found: dict[str, Any]) -> bool:
    """Whether everything was answered, and in time."""
    return set(found["statuses"]) == {"200"} and found["p99 ms"] <= LATENCY_MS


def highest(at: Callable[[float], dict[str, Any]], name: str) -> dict[str, Any]:
    """The highest load that is borne, by growing steps and then finer ones; a step may fail twice."""

    def told(rate: float) -> dict[str, Any]:
        found = at(rate)
        print(f"{name}, {rate:.0f}/s: p99 {found['p99 ms']:.0f} ms, {found['statuses']}", file=sys.stderr, flush=True)
        return found

    at(FIRST_RATE)  # warm-up
    rate, best = FIRST_RATE, None
    for growth in (STEP, FINER):
        while True:
            found = next((it for it in (told(rate) for _ in range(2)) if is_borne(it)), None)
            if found is None:
                break
            best, rate = found, rate * growth
        if best is None:
            sys.exit(f"{FIRST_RATE:g} requests a second are too many: {at(rate)}")
        rate = best["rate"] * FINER
    return best


def overloaded(url: str, bodies: Path, rate: float, seconds: float, process: int) -> list[dict[str, Any]]:
    """Twice the rate, with the server's MB after each tenth of the time, and then the rate again."""
    ended, memory = threading.Event(), []

    def watch() -> None:
        while not ended.wait(seconds / 10):
            memory.append(resident(process))

    watching = threading.Thread(target=watch)
    watching.start()
    twice = load(url, bodies, 2 * rate, seconds)
    ended.set()
    watching.join()
    time.sleep(5)
    again = load(url, bodies, rate, SECONDS)
    return [
        {"server": "", "load": f"twice, {seconds:g} s", **shown(twice), "MB": memory},
        {"server": "", "load": "5 s later", **shown(again)},
    ]


def shown(found: dict[str, Any]) -> dict[str, Any]:
    """A row of the table."""
    total = sum(found["statuses"].values())
    columns = {key: found[key] for key in ("rate", "answers a second", "p50 ms", "p99 ms")}
    return {**columns, "refused %": 100 * found["statuses"].get("429", 0) / total, "statuses": [found["statuses"]]}


def _bodies(path: Path, requests: list[dict]) -> Path:
    path.write_text("".join(f"{json.dumps(request)}\n" for request in requests), encoding="utf-8")
    return path


if __name__ == "__main__":
    typer.run(main)
