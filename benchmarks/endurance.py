"""What `keras-ft serve` goes through without harm: a long soak, swaps of versions, kills, and wrong requests.

    python benchmarks/endurance.py --schemathesis PYTHON [--only soak,swaps,kill,rest,grpc,hostile]

A small BERT classifier is trained, exported and served in a process of its own, with batches, over REST and gRPC, and
asked as fast as it answers (`soak`: 300,000 requests), while versions come and go (`swaps`: 50), and after `kill -9`
(`kill`). `rest` lets schemathesis make 10,000 requests out of docs/openapi.json, `grpc` sends 10,000 messages with
bytes changed, and `hostile` sends what a scanner would while others ask. PYTHON needs schemathesis. Takes a quarter of
an hour on two cores.
"""

import asyncio
import gzip
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import texts
import typer
import yaml
from load import resident
from load_generator import Connections
from report import Bar, machine, publish

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT)]  # tests.tiny

MODEL = "/v1/models/small"
CONNECTIONS = 16
MOST_GROWTH = 2.0  # % of resident memory
Rows = list[dict[str, Any]]


class Server:
    """A server process and what it shows of itself.

    Attributes:
        url, grpc: where it listens.
        seconds: from its start to being ready.
    """

    def __init__(self, folder: Path, rest: int, grpc: int):
        command = [sys.executable, "-m", "keras_ft.cli", "serve", folder, "--enable-batching", "--poll-seconds", "0.2"]
        command += ["--rest-port", rest, "--grpc-port", grpc]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
        self.url, self.grpc = f"http://127.0.0.1:{rest}", f"127.0.0.1:{grpc}"
        began = time.monotonic()
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        self._process = subprocess.Popen(
            [str(part) for part in command], env=environment, stdout=self._log, stderr=self._log
        )
        while self.status("/readyz") != 200:
            if self._process.poll() is not None or time.monotonic() - began > 120:
                sys.exit(f"the server did not start: {self.log()[-2000:]}")
            time.sleep(0.05)
        self.seconds = time.monotonic() - began

    def status(self, path: str) -> int:
        """Of a GET; 0 where nobody answers."""
        try:
            with urllib.request.urlopen(self.url + path, timeout=10) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0

    def log(self) -> str:
        """What it printed."""
        self._log.seek(0)
        return self._log.read().decode(errors="replace")

    def memory(self) -> float:
        """Resident, in MB."""
        return resident(self._process.pid)

    def stop(self, number: int = signal.SIGTERM) -> None:
        """End it by a signal, and wait."""
        self._process.send_signal(number)
        self._process.wait(120)


class Asker(threading.Thread):
    """Asks on so many connections without a pause, until it is told to stop or `count` requests are answered.

    Attributes:
        statuses: how many answers had which; 0 is a connection that broke.
        seconds: that it asked.
    """

    def __init__(self, url: str, bodies: list[bytes], connections: int, count: float = float("inf")):
        super().__init__(daemon=True)
        self.statuses: Counter[int] = Counter()
        self._asked = url, bodies, connections, count
        self._stop_asked = threading.Event()
        self.seconds = 0.0

    def run(self) -> None:
        """The thread."""
        asyncio.run(self._ask())

    def finish(self) -> dict[str, int]:
        """Stop asking; returns the statuses."""
        self._stop_asked.set()
        self.join()
        return {str(status): count for status, count in self.statuses.items()}

    async def _ask(self) -> None:
        url, bodies, number, count = self._asked
        connections, sent = Connections(url), 0
        began = time.monotonic()

        async def one() -> None:
            nonlocal sent
            while sent < count and not self._stop_asked.is_set():
                body = bodies[sent % len(bodies)]
                sent += 1
                try:
                    self.statuses[await connections.post(body)] += 1
                except (OSError, asyncio.IncompleteReadError):
                    self.statuses[0] += 1

        await asyncio.gather(*[one() for _ in range(number)])
        self.seconds = time.monotonic() - began


def _row(what: str, statuses: dict, memory: list[float], rate: float | None = None) -> dict[str, Any]:
    """A row of the table: answers by status, and memory in MB as it was and at its end."""
    shown = ", ".join(f"{status}: {count:,}" for status, count in sorted(statuses.items(), key=str))
    columns = {"what": what, "requests/s": "–" if rate is None else rate, "statuses": shown}
    return {**columns, "MB first": memory[0], "MB last": memory[-1], "MB": memory}


def bodies() -> list[bytes]:
    """Requests of real texts, a text each; every hundredth is wrong."""
    asked = [row["text"] for name in ("sst2", "ag_news") for row in texts.read(name, "test")[:1000]]
    made = [json.dumps({"instances": [text]}).encode() for text in asked]
    return [b'{"instances": [1]}' if i % 100 == 99 else body for i, body in enumerate(made)]


def soak(server: Server, requests: int) -> tuple[Rows, list[Bar]]:
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
        seen.append(server.memory())
        if len(seen) > 1:
            counts.update(asker.finish())
    growth = 100 * (max(seen) / seen[0] - 1)
    row = _row(f"soak, {requests:,} requests", counts, seen, requests / 10 / asker.seconds)
    return [row], [Bar("soak: % that memory grew after warm-up", MOST_GROWTH, growth, at_most=True)]


def swaps(server: Server, folder: Path, count: int) -> tuple[Rows, list[Bar]]:
    """New versions under load; each replaces the one before."""
    good = [body for body in bodies() if body != b'{"instances": [1]}']
    asker = Asker(f"{server.url}{MODEL}:predict", good, 4)
    asker.start()
    seen, seconds = [server.memory()], []
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
        seen.append(server.memory())
    statuses = asker.finish()
    failed = sum(number for status, number in statuses.items() if status != "200")
    row = _row(f"{count} swaps", statuses, seen, sum(statuses.values()) / asker.seconds)
    return [{**row, "seconds a swap": [median(seconds)]}], [
        Bar(f"{count} swaps under load: failed requests", 0, failed, at_most=True)
    ]


def kill(start: Callable[[], Server], server: Server) -> tuple[Rows, list[Bar], Server]:
    """`kill -9` under load, and the same command again."""
    asker = Asker(f"{server.url}{MODEL}:predict", bodies(), 4)
    asker.start()
    time.sleep(2)
    server.stop(signal.SIGKILL)
    asker.finish()
    again = start()
    check = Asker(f"{again.url}{MODEL}:predict", bodies()[:99], 4, 1000)
    check.start()
    check.join()
    statuses = check.finish()
    row = {**_row("kill -9, started again", statuses, [again.memory()]), "seconds to ready": [again.seconds]}
    answered = statuses.get("200", 0)
    return [row], [Bar("after kill -9: answers, of 1,000 requests", 1000, answered)], again


def rest(server: Server, python: str, requests: int) -> tuple[Rows, list[Bar]]:
    """schemathesis' requests, until there were so many: right ones, wrong ones, and each operation's odd ones."""
    before, sent, seed = server.memory(), 0, 0
    found: Counter[str] = Counter()
    while sent < requests:
        with tempfile.TemporaryDirectory() as folder:
            schema = _schema(Path(folder))
            events = Path(folder) / "events.ndjson"
            command = [python, "-m", "schemathesis.cli", "run", schema, "--url", server.url, "--seed", seed]
            command += ["--checks", "not_a_server_error", "--max-examples", 200, "--no-shrink", "--workers", 2]
            command += ["--phases", "examples,coverage,fuzzing", "--report", "ndjson", "--report-ndjson-path", events]
            command += ["--suppress-health-check", "all", "--continue-on-failure", "--warnings", "off"]
            done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
            if done.returncode not in (0, 1) or not events.is_file():
                sys.exit(f"schemathesis failed: {(done.stdout + done.stderr)[-2000:]}")
            statuses = re.findall(r'"status_code": ?(\d+)', events.read_text(encoding="utf-8"))
            sent, seed = sent + len(statuses), seed + 1
            found.update(statuses)
            if done.returncode:
                print(done.stdout[-3000:], file=sys.stderr)
            if not statuses:
                sys.exit(f"schemathesis sent nothing: {done.stdout[-2000:]}")
    row = _row(f"schemathesis, {sent:,} requests", found, [before, server.memory()])
    failures = sum(number for status, number in found.items() if status >= "500")
    return [row], [Bar(f"schemathesis: 5xx in {sent:,} requests", 0, failures, at_most=True)]


def grpc_messages(server: Server, count: int) -> tuple[Rows, list[Bar]]:
    """Messages of every service with some of their bytes changed, cut or doubled."""
    import grpc

    random.seed(0)
    channel = grpc.insecure_channel(server.grpc)
    made, codes = _messages(), Counter()
    calls = [(channel.unary_unary(method), message) for method, message in made]
    seen = []
    for number in range(count):
        call, message = calls[number % len(calls)]
        try:
            call(_mutated(message), timeout=30)
            codes["OK"] += 1
        except grpc.RpcError as error:
            codes[error.code().name] += 1
        if number % (count // 10) == count // 10 - 1:
            seen.append(server.memory())
    alive = server.status("/readyz")
    growth = 100 * (seen[-1] / seen[0] - 1)
    bars = [
        Bar(f"{count:,} mutated gRPC messages: % that memory grew after the first tenth", MOST_GROWTH, growth, True),
        Bar("mutated gRPC messages: UNAVAILABLE or INTERNAL", 0, codes["UNAVAILABLE"] + codes["INTERNAL"], True),
        Bar("mutated gRPC messages: the server is ready", 200, alive),
    ]
    return [_row(f"{count:,} mutated gRPC messages", codes, seen)], bars


def hostile(server: Server) -> tuple[Rows, list[Bar]]:
    """What nobody means well with, while others ask: their answers a second before, during and after."""
    speeds, wrong, failed = {}, Counter(), 0
    for moment in ("before", "during", "after"):
        asker = Asker(f"{server.url}{MODEL}:predict", bodies()[:99], 8)
        asker.start()
        end = time.monotonic() + 8
        while time.monotonic() < end:
            if moment == "during":
                wrong.update(_attack(server))
            else:
                time.sleep(0.1)
        statuses = asker.finish()
        speeds[moment] = statuses.get("200", 0) / asker.seconds
        failed += sum(count for status, count in statuses.items() if status != "200")
    row = _row("hostile requests", wrong, [server.memory()], speeds["during"]) | {"others, answers/s": [speeds]}
    bars = [
        Bar("hostile: speed after ÷ before", 0.9, speeds["after"] / speeds["before"]),
        Bar("hostile: failed requests of others", 0, failed, at_most=True),
        Bar("hostile: 5xx", 0, sum(count for status, count in wrong.items() if status >= 500), at_most=True),
    ]
    return [row], bars


def _attack(server: Server) -> Iterator[int]:
    """The statuses of a round of hostile requests; 0 for a connection that the server closed."""
    deep = b'{"instances": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    long = json.dumps({"instances": ["word " * 200_000]}).encode()
    plain = {"Content-Type": "application/json"}
    for path, body, headers in (
        (f"{MODEL}:predict", deep, plain),
        (f"{MODEL}:predict", long, plain),
        (f"{MODEL}:predict", b'{"instances": [NaN, Infinity]}', plain),
        (f"{MODEL}:predict", b'{"instances": ["\xff\xfe\xc3"]}', plain),
        (f"{MODEL}:predict", gzip.compress(b"0" * 300_000_000, 1), {**plain, "Content-Encoding": "gzip"}),
        ("/v1/models/..%2f..%2fetc%2fpasswd:predict", b"{}", plain),
        ("/v1/models/../../etc/passwd", None, {}),
        (f"{MODEL}/versions/{'9' * 400}:predict", b"{}", plain),
        ("/" + "a" * 8_000, None, {}),
    ):
        try:
            request = urllib.request.Request(server.url + path, body, headers)
            with urllib.request.urlopen(request, timeout=60) as answer:
                yield answer.status
        except urllib.error.HTTPError as error:
            yield error.code
        except OSError:
            yield 0
    half = socket.create_connection(server.url.removeprefix("http://").split(":"))
    half.sendall(b"POST /v1/models/small:predict HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{")
    half.close()


def _schema(folder: Path) -> Path:
    """docs/openapi.json, whose models are now and then the one that is served."""
    schema = json.loads((ROOT / "docs" / "openapi.json").read_text(encoding="utf-8"))
    schema["components"]["parameters"]["model"]["schema"] = {
        "anyOf": [{"enum": ["small"]}, {"type": "string", "minLength": 1}]
    }
    path = folder / "openapi.json"
    path.write_text(json.dumps(schema), encoding="utf-8")
    return path


def _messages() -> list[tuple[str, bytes]]:
    """A good request of each method: its full name and its bytes."""
    import tensorflow as tf
    from grpc_health.v1 import health_pb2
    from tensorflow_serving.apis import (
        classification_pb2,
        get_model_metadata_pb2,
        get_model_status_pb2,
        inference_pb2,
        predict_pb2,
        regression_pb2,
    )

    predict = predict_pb2.PredictRequest()
    predict.inputs["text"].CopyFrom(tf.make_tensor_proto(["good", "bad 好", ""]))
    metadata = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    status = get_model_status_pb2.GetModelStatusRequest()
    classify, regress = classification_pb2.ClassificationRequest(), regression_pb2.RegressionRequest()
    for it in (classify, regress):
        example = it.input.example_list.examples.add()
        example.features.feature["text"].bytes_list.value.append(b"good")
    multi = inference_pb2.MultiInferenceRequest()
    multi.tasks.add(method_name="tensorflow/serving/classify").model_spec.name = "small"
    multi.input.CopyFrom(classify.input)
    for it in (predict, metadata, status, classify, regress):
        it.model_spec.name = "small"
    serving = "/tensorflow.serving.PredictionService"
    return [
        (f"{serving}/Predict", predict.SerializeToString()),
        (f"{serving}/Classify", classify.SerializeToString()),
        (f"{serving}/Regress", regress.SerializeToString()),
        (f"{serving}/MultiInference", multi.SerializeToString()),
        (f"{serving}/GetModelMetadata", metadata.SerializeToString()),
        ("/tensorflow.serving.ModelService/GetModelStatus", status.SerializeToString()),
        ("/grpc.health.v1.Health/Check", health_pb2.HealthCheckRequest(service="small").SerializeToString()),
    ]


def _mutated(message: bytes) -> bytes:
    changed = bytearray(message)
    for _ in range(random.randint(1, 8)):
        changed[random.randrange(len(changed))] = random.randrange(256)
    kind = random.random()
    if kind < 0.1:
        return bytes(changed[: random.randrange(len(changed))])
    return bytes(changed + changed) if kind < 0.2 else bytes(changed)


def _publish_version(folder: Path, version: int) -> None:
    """A copy of the newest version, moved into place at once."""
    newest = max(folder.iterdir(), key=lambda path: int(path.name))
    copy = folder.with_name("copy")
    shutil.copytree(newest, copy)
    copy.rename(folder / str(version))


def _available(server: Server) -> list[str]:
    with urllib.request.urlopen(server.url + MODEL, timeout=30) as answer:
        states = json.load(answer)["model_version_status"]
    return [it["version"] for it in states if it["state"] == "AVAILABLE"]


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


@contextmanager
def _ports() -> Iterator[tuple[int, int]]:
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as two:
        ports = one.getsockname()[1], two.getsockname()[1]
    yield ports


PARTS = ("soak", "swaps", "kill", "rest", "grpc", "hostile")


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
    rows: Rows = []
    bars: list[Bar] = []
    with tempfile.TemporaryDirectory() as scratch, _ports() as ports:
        folder = _exported(Path(scratch))

        def start() -> Server:
            return Server(folder, *ports)

        server = start()
        for part in parts:
            print(part, file=sys.stderr, flush=True)
            if part == "soak":
                more, found = soak(server, requests)
            elif part == "swaps":
                more, found = swaps(server, folder, 50)
            elif part == "kill":
                more, found, server = kill(start, server)
            elif part == "rest":
                more, found = rest(server, schemathesis, 10_000)
            elif part == "grpc":
                more, found = grpc_messages(server, 10_000)
            else:
                more, found = hostile(server)
            rows += more
            bars += found
        log = server.log()
        server.stop()
        bars.append(Bar("tracebacks in the server's log", 0, log.count("Traceback"), at_most=True))
        if "Traceback" in log:
            print(log[-3000:], file=sys.stderr)
    publish("endurance", "What the server goes through", rows, bars, before)


if __name__ == "__main__":
    typer.run(main)
