import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from keras_ft.doctor import network


@pytest.fixture(autouse=True)
def plain_pip(monkeypatch):
    monkeypatch.delenv("PIP_INDEX_URL", raising=False)


def test_hubs_that_answer_are_one_line():
    (found,) = network.hubs(lambda address: "")
    assert (found.state, found.what) == ("ok", "reached pypi.org, huggingface.co, kaggle.com, storage.googleapis.com")


def test_a_hub_that_does_not_answer_is_a_note_that_says_what_then_fails():
    found = network.hubs(lambda address: "refused" if "kaggle" in address else "")
    assert [finding.state for finding in found] == ["ok", "note"]
    assert found[1].what == "kaggle.com was not reached: refused"
    assert "backbone: path/to/folder" in found[1].advice


def test_a_hub_that_hangs_does_not_hold_the_others(monkeypatch):
    monkeypatch.setattr(network, "SECONDS", -0.8)
    hanging = threading.Event()
    found = network.hubs(lambda address: "" if "pypi" in address else str(hanging.wait(30)))
    hanging.set()
    assert found[0].what == "reached pypi.org"
    assert all("no answer within" in finding.what for finding in found[1:])


def test_pips_own_index_is_asked_without_its_password(monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", "https://me:secret@pip.example.com:8443/simple")
    asked = []
    found = network.hubs(lambda address: asked.append(address) or "")
    assert "https://pip.example.com:8443/simple" in asked
    assert not any("secret" in address or "pypi.org" in address for address in asked)
    assert "pip.example.com" in found[0].what


def test_a_refusal_is_an_answer_and_a_closed_port_is_none(monkeypatch):
    class Refuses(BaseHTTPRequestHandler):
        def do_HEAD(self):
            self.send_error(int(self.path[1:]))

        def log_message(self, *args):
            pass

    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with HTTPServer(("127.0.0.1", 0), Refuses) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        root = f"http://127.0.0.1:{server.server_port}"
        assert network.why_unreachable(f"{root}/403") == ""
        assert network.why_unreachable(f"{root}/407") == "the proxy wants a password"
        server.shutdown()
    assert "refused" in network.why_unreachable(root)


def test_proxies_of_the_environment_are_used(monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    assert "refused" in network.why_unreachable("http://example.com/")
