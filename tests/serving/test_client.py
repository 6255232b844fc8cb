"""The four clients against one server, and what they do when a server is busy, slow or away."""

import asyncio
import inspect
import json
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from keras_ft.errors import KerasFTError, RequestError, WorkError
from keras_ft.serving import AsyncClient, AsyncGrpcClient, Client, GrpcClient, ServingError
from keras_ft.serving.background import BackgroundServer
from keras_ft.serving.client.answers import Answer, Classification, Entity, Hit, Multilabel, Score, Written
from keras_ft.serving.client.asking import Asking
from keras_ft.serving.client.asking_async import AsyncAsking
from keras_ft.serving.client.retry import Attempts, Deadline

MODELS = ("half_plus_two", "kinds", "labeler", "tagger", "reader", "pairs", "writer", "replier")


@pytest.fixture(scope="module")
def server(models):
    with BackgroundServer([models / name for name in MODELS], "--grpc-port", "0") as server:
        yield server


class InTurn:
    """An async client, asked as the others are: one call after another, in one loop."""

    def __init__(self, kind, *arguments, **options):
        self.runner = asyncio.Runner()

        async def made():
            return kind(*arguments, **options)

        self.client = self.runner.run(made())

    def __getattr__(self, name):
        return lambda *arguments, **options: self.runner.run(getattr(self.client, name)(*arguments, **options))

    def close(self):
        self.runner.run(self.client.aclose())
        self.runner.close()


KINDS = {"Client": Client, "AsyncClient": AsyncClient, "GrpcClient": GrpcClient, "AsyncGrpcClient": AsyncGrpcClient}


@contextmanager
def client_of(kind, server, **options):
    at = server.grpc_address if "Grpc" in kind else server.url
    make = KINDS[kind]
    client = InTurn(make, at, **options) if "Async" in kind else make(at, **options)
    yield client
    client.close()


@pytest.fixture(scope="module", params=KINDS)
def client(request, server):
    with client_of(request.param, server) as client:
        yield client


def test_predict_in_rows_and_columns(client):
    assert client.predict("half_plus_two", instances=np.array([1.0, 2.0])) == [2.5, 3.0]
    assert client.predict("half_plus_two", inputs=1.0, version=123) == 2.5
    rows = client.predict("kinds", instances=[{"a": 1.5, "b": 2}, {"a": 0, "b": np.int64(3)}])
    assert rows == [{"sum": 3.5, "product": 3.0}, {"sum": 3.0, "product": 0.0}]
    columns = client.predict("kinds", inputs={"a": np.array([1.5]), "b": np.array([2])})
    assert {name: np.asarray(column).tolist() for name, column in columns.items()} == {"sum": [3.5], "product": [3.0]}
    assert client.predict("kinds", instances=["é", "坏".encode()], signature_name="echo") == ["é", "坏"]


def test_status_and_metadata(client):
    (status,) = client.status("half_plus_two")
    assert (status["version"], status["state"]) == ("123", "AVAILABLE")
    found = client.metadata("half_plus_two")
    assert sorted(found) == ["pairs", "serving_default"]
    assert found["serving_default"]["inputs"]["x"]["dtype"] == "DT_FLOAT"


def test_the_server_s_reason_and_status_are_told(client):
    with pytest.raises(ServingError) as error:
        client.predict("half", instances=[1.0])
    assert (error.value.status, error.value.message) == (404, "Servable not found for request: Latest(half)")
    with pytest.raises(ServingError) as error:
        client.predict("kinds", instances=[-1.0], signature_name="checked")
    assert error.value.status == 400
    assert "a must be positive" in error.value.message


def test_classes_labels_and_relations(client):
    long, short = client.classify("labeler", np.array(["nine 字字字字", "x"]))
    assert long == Classification("long", long.score, ("long", "short"), long.scores, True)
    assert long.scores == pytest.approx((0.9, 0.1))
    assert not short.truncated
    assert [type(value) for value in (long.label, long.score, long.truncated)] == [str, float, bool]
    found = client.multilabel("labeler", ["1234567", "nine 9999"])
    assert [it.predicted for it in found] == [("long", "short"), ("long",)]
    assert isinstance(found[0], Multilabel)
    assert client.relate("labeler", ["<a> b"])[0].labels == ("long", "short")
    related = client.relate("labeler", ["我在北京", "I in X"], heads=[(0, 1), (0, 1)], tails=[(2, 4), (5, 6)])
    assert [it.label for it in related] == ["我>北京", "I>X"]
    assert [it.label for it in client.classify_pairs("pairs", ["a"], ["b"])] == ["same"]
    assert client.score_pairs("pairs", ["a", "b"], ["a", "a"]) == [Score(1.0, False), Score(0.0, False)]
    assert client.score_texts("labeler", ["12345"]) == [Score(0.5, False)]


def test_entities_without_padding(client):
    assert client.tag("tagger", ["Rome is", "", "x"]) == [
        [Entity(0, 4, "ROME", 1.0, "Rome"), Entity(5, 7, "IS", 1.0, "is")],
        [],
        [Entity(0, 1, "X", 1.0, "x")],
    ]


def test_answers_vectors_and_hits(client):
    assert client.answer("reader", ["二字"], ["北京是首都"]) == [Answer("北京", 0, 2, 2.0, -2.0, False)]
    vectors = client.embed("labeler", ["abc", "é"])
    assert vectors.dtype == np.float32
    assert vectors.tolist() == [[3, -3, 0], [1, -1, 0]]
    assert client.search("labeler", ["q"], k=2) == [[Hit("0", "q0", 1.0), Hit("1", "q1", 0.5)]]
    assert [len(hits) for hits in client.search("labeler", ["a", "b"])] == [3, 3]


def test_writing_with_and_without_settings(client):
    assert client.write("writer", ["Hi", "你好"]) == [Written("Hi!", 1, 0.0, False), Written("你好!", 1, 0.0, False)]
    sampled = client.write("writer", ["a", "b"], max_new_tokens=[3, 4], temperature=0.5, seed=7)
    assert sampled == [Written("3 0.5 -1 7", 3, -1.0, True), Written("4 0.5 -1 7", 4, -1.0, True)]
    assert [it.text for it in client.write("replier", turns=[["a"], ["b", "c"]])] == ["a|", "b|c"]


def test_a_model_of_another_task_is_told(client):
    with pytest.raises(WorkError, match=r"^tagger is no model for classification: its answer has no 'labels'; it has "):
        client.classify("tagger", ["x"])
    with pytest.raises(KerasFTError, match="reader (was asked as a model for classification|takes context, question)"):
        client.classify("reader", ["x"])


def test_wrong_arguments_are_told_before_anything_is_sent():
    client = Client("http://127.0.0.1:9", retries=0)
    for ask, message in [
        (lambda: client.classify("m", "one"), "texts should be a list of texts, given one text"),
        (lambda: client.classify("m", ["a", None]), r"texts\[1\] should be a text, given None"),
        (lambda: client.answer("m", ["a"], []), "there should be as many of each input, given 1 of question, 0 of"),
        (lambda: client.write("m"), "give prompts, sources or turns, one of them; given none"),
        (lambda: client.write("m", ["a"], seed=[1, 2]), "seed should be a number, or one for each of 1 texts"),
        (lambda: client.relate("m", ["a"], heads=[(0, 1)]), "heads and tails go together"),
        (lambda: client.relate("m", ["a"], [(0, 1, 2)], [(0, 1, 2)]), r"heads should be \(start, end\)"),
        (lambda: Client("localhost:8501"), "the URL should be like"),
        (lambda: Client("https://h", ca_cert="/no/ca.pem"), "/no/ca.pem: "),
        (lambda: Client("http://h", timeout=0), "timeout should be above 0"),
        (lambda: GrpcClient("localhost"), "the address should be like"),
    ]:
        with pytest.raises(RequestError, match=message):
            ask()
    assert client.classify("m", []) == []
    assert client.embed("m", []).shape == (0, 0)


def test_a_frame_goes_in_and_comes_out(server):
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"text_b": ["x", "y"], "text_a": ["x", "x"], "more": [1, 2]}, index=["one", "two"])
    for kind in ("Client", "AsyncGrpcClient"):
        with client_of(kind, server, batch_size=1) as client:
            found = client.predict_frame("pairs", frame)
            assert sorted(found.columns) == ["label", "score", "truncated"]
            assert found.index.tolist() == ["one", "two"]
            assert found["score"].tolist() == [1.0, 0.0]
            assert client.score_pairs("pairs", frame["text_a"], frame["text_b"])[0] == Score(1.0, False)
            with pytest.raises(
                RequestError, match="pairs takes 'text_b', which is no column of the frame; it has text_a"
            ):
                client.predict_frame("pairs", frame[["text_a"]])


def test_async_clients_have_every_method_of_the_others():
    methods = {name: it for name, it in vars(Asking).items() if inspect.isfunction(it) and name != "__init__"}
    assert len(methods) > 14
    for name, method in methods.items():
        twin = getattr(AsyncAsking, name)
        assert inspect.iscoroutinefunction(twin), name
        assert str(inspect.signature(twin)) == str(inspect.signature(method)), name


@contextmanager
def fake(*answers):
    """A server that gives these answers in turn, `(status, headers)`, and what it was asked."""
    asked, left = [], list(answers)

    class Answers(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            asked.append((self.client_address, dict(self.headers), body))
            status, headers = left.pop(0)
            rows = body.get("inputs", {"text": []})["text"]
            columns = {"score": [float(row) for row in rows], "truncated": [False] * len(rows)}
            sent = json.dumps({"outputs": columns} if status == 200 else {"error": "busy"}).encode()
            self.send_response(status)
            for key, value in {"Content-Length": len(sent), **headers}.items():
                self.send_header(key, str(value))
            self.end_headers()
            self.wfile.write(sent)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    server.daemon_threads = True
    server.block_on_close = False
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def scored(kind, url, pauses, texts=("1",), **options):
    """What a client without patience gets."""

    async def ask():
        async def sleep(seconds):
            pauses.append(seconds)

        async with AsyncClient(url, **options) as client:
            client._sleep = sleep
            return await client.score_texts("m", list(texts))

    if kind == "AsyncClient":
        return asyncio.run(ask())
    with Client(url, **options) as client:
        client._sleep = pauses.append
        return client.score_texts("m", list(texts))


@pytest.mark.parametrize("kind", ["Client", "AsyncClient"])
def test_busy_servers_are_asked_again_after_what_they_say_and_growing_pauses(kind):
    pauses = []
    with fake((429, {"Retry-After": 2}), (503, {}), (503, {}), (200, {})) as (url, asked):
        assert scored(kind, url, pauses, api_key="secret") == [Score(1.0, False)]
    assert len(asked) == 4
    assert 2.05 <= pauses[0] <= 2.1
    assert 0.1 <= pauses[1] <= 0.2 <= pauses[2] <= 0.4
    headers = {key.lower(): value for key, value in asked[0][1].items()}
    assert headers["authorization"] == "Bearer secret"
    assert 55 < float(headers["x-request-timeout"]) <= 60


@pytest.mark.parametrize("kind", ["Client", "AsyncClient"])
def test_what_will_not_change_or_not_in_time_is_not_repeated(kind):
    for answers, options in [
        ([(400, {})], {}),
        ([(500, {})], {}),
        ([(429, {"Retry-After": 100})], {}),
        ([(503, {}), (503, {})], {"retries": 1}),
    ]:
        with fake(*answers) as (url, asked), pytest.raises(ServingError, match=f"^{answers[-1][0]}: busy"):
            scored(kind, url, [], **options)
        assert len(asked) == len(answers)


def test_many_rows_go_in_chunks_and_in_order_over_one_connection():
    with fake(*[(200, {})] * 3) as (url, asked):
        found = scored("Client", url, [], texts=map(str, range(10)), batch_size=4)
    assert [it.score for it in found] == list(range(10))
    assert [len(body["inputs"]["text"]) for *_, body in asked] == [4, 4, 2]
    assert len({address for address, *_ in asked}) == 1


def test_a_connection_closed_meanwhile_is_opened_again():
    with fake((200, {"Connection": "close"}), (200, {})) as (url, asked), Client(url, retries=0) as client:
        assert [client.score_texts("m", [text])[0].score for text in ("1", "2")] == [1.0, 2.0]
    assert len(asked) == 2


@pytest.mark.parametrize("kind", ["Client", "AsyncClient"])
def test_no_connection_is_tried_again_and_then_told(kind):
    pauses = []
    with pytest.raises(WorkError, match=r"no answer from http://127.0.0.1:9: .*; is the server running\?"):
        scored(kind, "http://127.0.0.1:9", pauses, retries=2)
    assert len(pauses) == 2


@pytest.mark.parametrize("kind", ["Client", "AsyncClient"])
def test_a_call_ends_with_its_timeout(kind):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        start = time.perf_counter()
        with pytest.raises(WorkError, match="timed out"):
            scored(kind, f"http://127.0.0.1:{silent.getsockname()[1]}", [], timeout=0.2)
    assert time.perf_counter() - start < 5


def test_grpc_too_is_tried_again_and_ends_in_time():
    pauses = []
    with GrpcClient("127.0.0.1:9", retries=2) as client:
        client._sleep = pauses.append
        with pytest.raises(ServingError) as error:
            client.status("m")
    assert (error.value.status, len(pauses)) == (503, 2)
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(ServingError) as error:  # noqa: SIM117
        with GrpcClient(f"127.0.0.1:{silent.getsockname()[1]}", timeout=0.2) as client:
            client.status("m")
    assert error.value.status == 504


def test_pauses_double_end_at_the_deadline_and_never_go_beyond():
    now = [0.0]
    attempts = Attempts(Deadline(1.0, lambda: now[0]), retries=9, draw=lambda: 1.0)
    busy, pauses = ServingError(503, "busy"), []
    for _ in range(3):
        pauses.append(attempts.pause_after(busy))
        now[0] += pauses[-1]
    with pytest.raises(ServingError, match="busy"):
        attempts.pause_after(busy)
    assert pauses == pytest.approx([0.1, 0.2, 0.4])


def test_importing_the_clients_loads_nothing_heavy():
    code = """
import sys, keras_ft.serving
assert "keras_ft.serving.client" not in sys.modules
import keras_ft.serving.client
from keras_ft.serving import Client, AsyncClient, GrpcClient
Client("http://localhost:1")
heavy = {"tensorflow", "grpc", "httpx", "pandas", "keras"} & set(sys.modules)
assert not heavy, heavy
sys.modules["httpx"] = None
try:
    AsyncClient("http://localhost:1")
except Exception as error:
    assert 'pip install "keras-ft[client]"' in str(error), error
else:
    raise AssertionError
"""
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
