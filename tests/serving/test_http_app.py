"""Health, API keys, limits, and what a server does with hostile or hasty clients."""

import asyncio
import gzip
import http.client
import json
import re
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from starlette.testclient import TestClient
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from keras_ft.errors import RequestError
from keras_ft.serving.api_keys import ApiKeys, new_key
from keras_ft.serving.background import BackgroundServer
from keras_ft.serving.batching.parameters import BatchingParameters
from keras_ft.serving.batching.predictor import BatchingPredictor
from keras_ft.serving.client import Client, ServingError
from keras_ft.serving.models.config import ModelConfig
from keras_ft.serving.models.store import ModelStore
from keras_ft.serving.monitoring.metrics import ServerMetrics
from keras_ft.serving.options import ServerOptions
from keras_ft.serving.rest.http_app import HttpApp, Limits
from keras_ft.serving.server import serve

ASK = ("/v1/models/half_plus_two:predict", b'{"instances": [1.0]}')


@pytest.fixture(scope="module")
def threads():
    with ThreadPoolExecutor(4) as pool:
        yield pool


def client_of(store, threads, **options) -> TestClient:
    return TestClient(HttpApp(store, threads, **options))


def test_a_server_is_ready_when_every_model_can_answer(store, threads, tmp_path):
    assert [client_of(store, threads).get(path).status_code for path in ("/livez", "/readyz")] == [200, 200]
    empty = ModelStore([ModelConfig("absent", str(tmp_path))])
    empty.update()
    client = client_of(empty, threads)
    answer = client.get("/readyz")
    assert (answer.status_code, answer.text) == (503, "no version is available of: absent\n")
    assert client.get("/livez").status_code == 200


def test_a_server_that_is_told_to_stop_is_not_ready_any_more(store, threads):
    app = HttpApp(store, threads)
    app.draining = True
    assert TestClient(app).get("/readyz").status_code == 503


def test_a_request_id_comes_back_if_it_is_one(http):
    assert http.post(ASK[0], content=ASK[1], headers={"x-request-id": "a-1.b:c"}).headers["x-request-id"] == "a-1.b:c"
    made = {http.get("/livez", headers={"x-request-id": "a b\t" * 9}).headers["x-request-id"] for _ in range(3)}
    assert len(made) == 3
    assert all(len(name) == 32 for name in made)


def test_keys_are_kept_as_hashes_and_asked_for(store, threads, tmp_path):
    file = tmp_path / "keys"
    key, other = new_key(file, "shop"), new_key(file, "phone")
    assert file.stat().st_mode & 0o077 == 0
    assert key not in file.read_text()
    client = client_of(store, threads, keys=ApiKeys(file), pages={"/monitoring/prometheus/metrics": lambda: b"m 1\n"})
    for headers in (
        {"authorization": f"Bearer {key}"},
        {"authorization": f"bearer  {other}"},
        {"x-api-key": key},
    ):
        assert client.post(ASK[0], content=ASK[1], headers=headers).status_code == 200
    for headers in (
        {},
        {"authorization": key},
        {"authorization": "Bearer x"},
        {"x-api-key": key[:-1]},
        {"x-api-key": "é"},
    ):
        answer = client.post(ASK[0], content=ASK[1], headers={k: v.encode("utf-8") for k, v in headers.items()})
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert client.get("/monitoring/prometheus/metrics", headers={}).status_code == 401
    assert client.get("/livez").status_code == client.get("/readyz").status_code == 200


@pytest.mark.parametrize(
    ("text", "message"),
    [("", "holds no key"), ("shop", "line 1 should be NAME:HASH"), ("# a\n\nshop:12ab", "line 3 should be NAME:HASH")],
)
def test_a_file_of_keys_that_is_none_is_refused(tmp_path, text, message):
    (tmp_path / "keys").write_text(text)
    with pytest.raises(RequestError, match=message):
        ApiKeys(tmp_path / "keys")
    with pytest.raises(RequestError, match="No such file"):
        ApiKeys(tmp_path / "none")


def test_a_name_has_one_key(tmp_path):
    new_key(tmp_path / "keys", "shop")
    for name, message in {
        "shop": "holds a key for shop already",
        "a:b": "cannot name a key",
        "": "cannot name",
    }.items():
        with pytest.raises(RequestError, match=message):
            new_key(tmp_path / "keys", name)


def test_a_body_beyond_the_limit_is_refused_also_when_packed(store, threads):
    client = client_of(store, threads, limits=Limits(request_bytes=1000))
    large = json.dumps({"instances": [1.0] * 400}).encode()
    assert client.post(ASK[0], content=large).status_code == 413
    assert client.post(ASK[0], content=iter([large[:900], large[900:]])).status_code == 413  # length not announced
    bomb = gzip.compress(b" " * 10**6 + ASK[1])
    assert len(bomb) < 1200
    answer = client.post(ASK[0], content=bomb[:999] if len(bomb) > 999 else bomb, headers={"content-encoding": "gzip"})
    assert answer.status_code in (400, 413)
    assert client.post(ASK[0], content=gzip.compress(ASK[1]), headers={"content-encoding": "gzip"}).status_code == 200


class Slow:
    """half_plus_two's signatures; each answer waits until it is released."""

    def __init__(self, predictor_of):
        self.signatures, self.signature_defs = predictor_of("half_plus_two").signatures, {}
        self.running, self.release = threading.Event(), threading.Event()

    def predict(self, signature_name, inputs):
        self.running.set()
        self.release.wait(10)
        return {"y": inputs["x"]}

    def close(self):
        pass

    def store(self, models, **options) -> ModelStore:
        store = ModelStore([ModelConfig("m", str(models / "half_plus_two"))], load=lambda _: self, **options)
        store.update()
        return store


def test_a_deadline_is_kept(models, predictor_of, threads):
    slow = Slow(predictor_of)
    client = client_of(slow.store(models), threads)
    try:
        answer = client.post("/v1/models/m:predict", content=ASK[1], headers={"x-request-timeout": "0.05"})
        assert (answer.status_code, answer.json()) == (504, {"error": "Deadline exceeded"})
    finally:
        slow.release.set()


def test_a_full_queue_refuses_before_it_parses_and_a_client_that_leaves_frees_its_place(models, predictor_of, threads):
    slow, queues = Slow(predictor_of), []

    def front(_, predictor):
        queues.append(BatchingPredictor(predictor, BatchingParameters(1, max_enqueued_batches=1, num_batch_threads=1)))
        return queues[-1]

    store, metrics = slow.store(models, front=front), ServerMetrics()
    app = HttpApp(store, threads, watcher=metrics)

    async def ask(body: bytes, left: asyncio.Event) -> list[dict]:
        sent, messages = [], iter([{"type": "http.request", "body": body}])

        async def receive():
            message = next(messages, None)
            if message is None:
                await left.wait()
            return message or {"type": "http.disconnect"}

        async def send(message):
            sent.append(message)

        scope = {
            "type": "http",
            "method": "POST",
            "raw_path": b"/v1/models/m:predict",
            "query_string": b"",
            "headers": [],
        }
        await app(scope, receive, send)
        return sent

    async def run():
        stays, leaves = asyncio.Event(), asyncio.Event()
        first = asyncio.create_task(ask(ASK[1], stays))
        assert await asyncio.to_thread(slow.running.wait, 10)
        waiting = asyncio.create_task(ask(ASK[1], leaves))
        while not queues[0].queued_rows:
            await asyncio.sleep(0.01)
        refused = await ask(b"{", stays)  # a body that is no JSON
        assert refused[0]["status"] == 429
        assert b"retry-after" in dict(refused[0]["headers"])
        leaves.set()
        assert await waiting == []
        assert queues[0].queued_rows == 0
        assert (await ask(b"{", stays))[0]["status"] == 400
        slow.release.set()
        assert (await first)[0]["status"] == 200

    try:
        asyncio.run(run())
        counted = metrics.render().decode()
    finally:
        slow.release.set()
        store.close()
        metrics.close()
    assert re.search(r'keras_ft_requests_total\{.*code="RESOURCE_EXHAUSTED".*\} 1\.0', counted), counted


def test_hostile_paths_and_bodies_are_refused(http):
    paths = ["/v1/models/..%2f..%2fetc%2fpasswd", "/v1/models/%00", "/v1/models/a" + "a" * 5000, "/../etc/passwd", "//"]
    assert {http.get(path).status_code for path in paths} <= {400, 404}
    deep = b'{"instances": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    answer = http.post(ASK[0], content=deep)
    assert (answer.status_code, answer.json()["error"]) == (400, "JSON Parse error: The document is nested too deeply.")
    texts = {"signature_name": "echo", "instances": ["x" * 10**6]}
    assert http.post("/v1/models/kinds:predict", content=json.dumps(texts)).json()["predictions"] == ["x" * 10**6]
    assert http.post("/v1/models/sentiment:predict", content=b'{"instances": ["good \xff\xfe"]}').status_code == 200


@pytest.fixture(scope="module")
def secured(models, tmp_path_factory):
    folder = tmp_path_factory.mktemp("secured")
    made = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1"
    files = ["-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")]
    subprocess.run([*made.split(), *files], check=True, capture_output=True)
    key = new_key(folder / "keys", "test")
    flags = {"--api-keys": "keys", "--tls-cert": "cert.pem", "--tls-key": "key.pem"}
    options = [part for flag, name in flags.items() for part in (flag, str(folder / name))]
    batched = ["--enable-batching", "--max-queue-delay", "5", "--grpc-port", "0"]
    with BackgroundServer([models / "half_plus_two"], *options, *batched) as server:
        yield server, folder / "cert.pem", key


def test_tls_and_keys_guard_both_apis(secured):
    server, cert, key = secured
    assert server.url.startswith("https://")
    host, port = server.url.removeprefix("https://").split(":")
    connection = http.client.HTTPSConnection(host, int(port), context=ssl.create_default_context(cafile=cert))
    for headers, status in (({}, 401), ({"Authorization": f"Bearer {key}"}, 200)):
        connection.request("POST", ASK[0], ASK[1], headers)
        answer = connection.getresponse()
        assert (answer.status, answer.read() == b'{\n    "predictions": [2.5\n    ]\n}') == (status, status == 200)
    connection.close()
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "half_plus_two"
    request.inputs["x"].dtype = 1
    request.inputs["x"].float_val.append(1.0)
    with grpc.secure_channel(server.grpc_address, grpc.ssl_channel_credentials(cert.read_bytes())) as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        with pytest.raises(grpc.RpcError) as error:
            stub.Predict(request)
        assert error.value.code() == grpc.StatusCode.UNAUTHENTICATED
        found = stub.Predict(request, metadata=[("authorization", f"Bearer {key}")])
        assert list(found.outputs["y"].float_val) == [2.5]
        assert health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest()).status == 1


def test_connections_that_never_finish_a_head_are_closed_and_others_go_on(models, tmp_path):
    """Slow-loris: a byte now and then keeps a connection open, but not for ever."""
    code = (
        "import dataclasses, sys; from keras_ft.serving import server, options; "
        "server.serve(sys.argv[1:], options.ServerOptions(rest_port=0, head_seconds=1.0), server.print_ready)"
    )
    command = [sys.executable, "-c", code, str(models / "half_plus_two")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        url = json.loads(process.stdout.readline())["url"]
        host, port = url.removeprefix("http://").split(":")
        slow = [socket.create_connection((host, int(port))) for _ in range(50)]
        for connection in slow:
            connection.sendall(b"POST /v1/models/half_plus_two:predict HTTP/1.1\r\nHost: x\r\n")
        assert Client(url).predict("half_plus_two", instances=[1.0]) == [2.5]
        for connection in slow:
            connection.settimeout(20)
            assert connection.recv(100) == b""  # closed by the server
            connection.close()
        assert Client(url).predict("half_plus_two", instances=[1.0]) == [2.5]
        process.terminate()
        process.communicate(timeout=30)


def test_versions_are_swapped_under_load_without_a_failed_request(models, tmp_path):
    folder = tmp_path / "m"
    shutil.copytree(models / "versions" / "1", folder / "1")
    answers: list = []
    stop = threading.Event()
    with BackgroundServer([folder], "--poll-seconds", "0.05", "--enable-batching") as server:

        def ask() -> None:
            client = Client(server.url)
            while not stop.is_set():
                try:
                    answers.append(client.predict("m", instances=[2.0])[0])
                except Exception as error:
                    answers.append(error)

        askers = [threading.Thread(target=ask) for _ in range(4)]
        for asker in askers:
            asker.start()
        client = Client(server.url)
        for version in range(2, 12):
            shutil.copytree(models / "versions" / ("2" if version % 2 == 0 else "1"), tmp_path / "new")
            (tmp_path / "new").rename(folder / str(version))
            deadline = time.monotonic() + 60
            while client.status("m")[0] != {
                "version": str(version),
                "state": "AVAILABLE",
                "status": {"error_code": "OK", "error_message": ""},
            }:
                assert time.monotonic() < deadline
                time.sleep(0.01)
        stop.set()
        for asker in askers:
            asker.join()
        # A corrupt version leaves the old one alone.
        (folder / "12").mkdir()
        (folder / "12" / "saved_model.pb").write_bytes(b"garbage")
        deadline = time.monotonic() + 60
        while client.status("m")[0]["version"] != "12" or client.status("m")[0]["state"] != "END":
            assert time.monotonic() < deadline
        assert client.predict("m", instances=[2.0]) == [3.0]
    assert [it for it in answers if it not in (3.0, 4.0)] == []
    assert set(answers) == {3.0, 4.0}


def test_a_changed_models_config_is_read_again(models, tmp_path):
    file = tmp_path / "models.config"

    def write(*names: str) -> None:
        configs = "".join(
            f'config {{ name: "{name}" base_path: "{models / name}" model_platform: "tensorflow" }} ' for name in names
        )
        (tmp_path / "next").write_text(f"model_config_list {{ {configs} }}")
        (tmp_path / "next").rename(file)

    write("half_plus_two")
    options = ["--model-config-file", str(file), "--model-config-file-poll-seconds", "0.05"]
    with BackgroundServer((), *options) as server:
        client = Client(server.url)
        write("half_plus_two", "versions")
        deadline = time.monotonic() + 60
        while True:
            try:
                assert client.predict("versions", instances=[2.0]) == [4.0]
                break
            except ServingError:
                assert time.monotonic() < deadline
        file.write_text("nonsense {")
        while "it should be a ModelServerConfig in text format" not in server.log():
            assert time.monotonic() < deadline
        assert client.predict("half_plus_two", instances=[1.0]) == [2.5]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tls_cert": Path("a")}, "--tls-cert and --tls-key go together"),
        ({"tls_cert": Path("a"), "tls_key": Path("b")}, "a: no such file; give a PEM file with --tls-cert"),
        ({"max_request_bytes": 0}, "--max-request-bytes should be 1 or more, given 0"),
        ({"max_queue_delay": 1.0}, "--max-queue-delay needs --enable-batching"),
        ({"batching_parameters_file": Path("b")}, "--batching-parameters-file needs --enable-batching"),
        ({"api_keys": Path("none")}, "none: No such file"),
        ({"model_config_file": Path("c")}, "give model folders or --model-config-file, not both"),
    ],
)
def test_options_that_cannot_be_are_refused_before_anything_is_loaded(models, options, message):
    with pytest.raises(RequestError, match=message):
        serve([models / "half_plus_two"], ServerOptions(rest_port=0, **options))


def test_nothing_to_serve_is_said():
    with pytest.raises(RequestError, match="nothing to serve; give model folders"):
        serve([], ServerOptions(rest_port=0))
