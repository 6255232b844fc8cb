"""Wrong requests of `endurance.py`: schemathesis', mutated gRPC messages, and what a scanner would send."""

import gzip
import json
import random
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from asker import Asker, bodies, resident, row
from report import Bar

from keras_ft.serving.background import BackgroundServer

ROOT = Path(__file__).resolve().parents[1]
MODEL = "/v1/models/small"
MOST_GROWTH = 2.0  # % of resident memory
Row = dict[str, Any]


def rest(server: BackgroundServer, python: str, requests: int) -> tuple[list[Row], list[Bar]]:
    """schemathesis' requests, until there were so many: right ones, wrong ones, and each operation's odd ones."""
    before, sent, seed = resident(server.process.pid), 0, 0
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
    shown = row(f"schemathesis, {sent:,} requests", found, [before, resident(server.process.pid)])
    failures = sum(number for status, number in found.items() if status >= "500")
    return [shown], [Bar(f"schemathesis: 5xx in {sent:,} requests", 0, failures, at_most=True)]


def grpc_messages(server: BackgroundServer, count: int) -> tuple[list[Row], list[Bar]]:
    """Messages of every service with some of their bytes changed, cut or doubled."""
    import grpc

    random.seed(0)
    channel = grpc.insecure_channel(server.grpc_address)
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
            seen.append(resident(server.process.pid))
    with urllib.request.urlopen(server.url + "/readyz", timeout=10) as answer:
        alive = answer.status
    growth = 100 * (seen[-1] / seen[0] - 1)
    bars = [
        Bar(f"{count:,} mutated gRPC messages: % that memory grew after the first tenth", MOST_GROWTH, growth, True),
        Bar("mutated gRPC messages: UNAVAILABLE or INTERNAL", 0, codes["UNAVAILABLE"] + codes["INTERNAL"], True),
        Bar("mutated gRPC messages: the server is ready", 200, alive),
    ]
    return [row(f"{count:,} mutated gRPC messages", codes, seen)], bars


def hostile(server: BackgroundServer) -> tuple[list[Row], list[Bar]]:
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
    shown = row("hostile requests", wrong, [resident(server.process.pid)], speeds["during"]) | {
        "others, answers/s": [speeds]
    }
    bars = [
        Bar("hostile: speed after ÷ before", 0.9, speeds["after"] / speeds["before"]),
        Bar("hostile: failed requests of others", 0, failed, at_most=True),
        Bar("hostile: 5xx", 0, sum(count for status, count in wrong.items() if status >= 500), at_most=True),
    ]
    return [shown], bars


def _attack(server: BackgroundServer) -> Iterator[int]:
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
