"""The server as a process, over real sockets."""

import http.client
import json
import shutil
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from keras_ft.errors import RequestError, WorkError
from keras_ft.serving.background import BackgroundServer
from keras_ft.serving.client import Client, ServingError
from keras_ft.serving.options import ServerOptions
from keras_ft.serving.server import serve


@pytest.fixture(scope="module")
def server(models):
    with BackgroundServer([models / "half_plus_two", models / "kinds", models / "versions" / "1"]) as server:
        yield server


def test_the_log_says_in_one_line_what_is_served_where(server):
    assert "Serving versions version 1\n" in server.log()
    assert f"versions: {server.url}/v1/models/versions\n" in server.log()


def test_the_client_asks_in_rows_and_columns(server):
    client = Client(server.url)
    assert client.predict("half_plus_two", instances=np.array([1.0, 2.0])) == [2.5, 3.0]
    assert client.predict("half_plus_two", inputs=1.0, version=123) == 2.5
    assert client.predict("kinds", instances=[b"\xff", "é"], signature_name="raw") == [{"b64": "/w=="}, {"b64": "w6k="}]
    assert client.status("versions") == client.status("versions", 1)
    assert client.status("versions")[0]["state"] == "AVAILABLE"
    assert sorted(client.metadata("half_plus_two")) == ["pairs", "serving_default"]


def test_the_client_says_what_the_server_said(server):
    with pytest.raises(ServingError) as error:
        Client(server.url).predict("half", instances=[1.0])
    assert (error.value.status, error.value.message) == (404, "Servable not found for request: Latest(half)")
    with pytest.raises(ServingError, match="404"):
        Client(server.url + "/elsewhere").status("half_plus_two")


def test_a_connection_stays_open_and_answers_at_once(server):
    connection = http.client.HTTPConnection(server.url.removeprefix("http://"))
    start = time.perf_counter()
    for _ in range(50):
        connection.request("POST", "/v1/models/half_plus_two:predict", b'{"instances": [1.0]}')
        answer = connection.getresponse()
        assert (answer.status, answer.read()) == (200, b'{\n    "predictions": [2.5\n    ]\n}')
    assert answer.headers["content-type"] == "application/json"
    assert "server" not in answer.headers
    # Each takes under a millisecond; with Nagle's algorithm on, 40.
    assert time.perf_counter() - start < 1.5
    connection.close()


def test_a_body_of_10_megabytes_is_served(server):
    count = 10_000_000 // 5
    predictions = Client(server.url).predict("half_plus_two", instances=[1.5] * count)
    assert predictions == [2.75] * count
    with pytest.raises(ServingError, match='"x" Type: String'):
        Client(server.url).predict("half_plus_two", instances=[1.5] * count + ["x"])
    assert Client(server.url).predict("half_plus_two", instances=[1.0]) == [2.5]


def test_many_clients_are_answered_at_once(server):
    client = Client(server.url)
    with ThreadPoolExecutor(16) as pool:
        answers = pool.map(lambda i: client.predict("half_plus_two", instances=[float(i)]), range(100))
        assert list(answers) == [[i / 2 + 2] for i in range(100)]


def test_a_client_that_hangs_up_does_no_harm(server):
    host, port = server.url.removeprefix("http://").split(":")
    for text in (
        b"POST /v1/models/half_plus_two:predict HTTP/1.1\r\nContent-Length: 100\r\n\r\n{",
        b"nonsense\r\n\r\n",
    ):
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(text)
    assert Client(server.url).predict("half_plus_two", instances=[1.0]) == [2.5]


def test_no_server_is_said_in_one_line():
    with pytest.raises(WorkError, match=r"no answer from http://127.0.0.1:9: .*; is the server running\?"):
        Client("http://127.0.0.1:9").status("m")


def test_a_port_in_use_is_refused_before_anything_is_loaded(models):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        start = time.perf_counter()
        with pytest.raises(RequestError, match=f"^port {port} is in use; choose another with --rest-port$"):
            serve([models / "half_plus_two"], ServerOptions(rest_port=port))
        assert time.perf_counter() - start < 2
        with (
            pytest.raises(RequestError, match=f"port {port} is in use"),
            BackgroundServer([models / "kinds"], rest_port=port),
        ):
            pass


def test_wrong_folders_and_hosts_are_refused(models, tmp_path):
    with pytest.raises(RequestError, match="no such folder"):
        serve([tmp_path / "none"])
    with pytest.raises(RequestError, match=r"cannot listen on 203\.0\.113\.1"):
        serve([models / "half_plus_two"], ServerOptions(host="203.0.113.1", rest_port=0))
    with pytest.raises(RequestError, match="choose others with --host and --rest-port"):
        serve([models / "half_plus_two"], ServerOptions(rest_port=70_000))


def test_without_the_extra_the_command_to_install_it_is_told(models, monkeypatch):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    with pytest.raises(RequestError, match=r'pip install "keras-ft\[serve\]"'):
        serve([models / "half_plus_two"])


def test_a_model_that_cannot_be_loaded_is_told_with_the_reason(models, tmp_path):
    shutil.copytree(models / "half_plus_two", tmp_path / "broken")
    (tmp_path / "broken" / "00000123" / "saved_model.pb").write_bytes(b"garbage")
    with (
        pytest.raises(WorkError, match="broken version 123 could not be loaded: "),
        BackgroundServer([tmp_path / "broken"]),
    ):
        pass


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_server_without_a_traceback(models, number):
    command = [
        sys.executable,
        "-m",
        "keras_ft",
        "serve",
        str(models / "half_plus_two"),
        "--rest-port",
        "0",
        "--json",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert json.loads(process.stdout.readline())["models"][0]["state"] == "AVAILABLE"
        process.send_signal(number)
        _, log = process.communicate(timeout=20)
    assert process.returncode == 0
    assert "Traceback" not in log


def test_importing_the_server_loads_no_tensorflow():
    code = "import sys, keras_ft.serving.server, keras_ft.serving.background, keras_ft.serving.client; sys.exit('tensorflow' in sys.modules or 'keras' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
