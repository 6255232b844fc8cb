import json

import pytest

from keras_ft.doctor.probe import probe, read_probe


def test_a_module_that_fails_does_not_hide_the_others(tmp_path, monkeypatch):
    (tmp_path / "broken_module.py").write_text("raise RuntimeError('two\\nlines')")
    (tmp_path / "quitting_module.py").write_text("raise SystemExit(3)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    found = probe(["broken_module", "no_such_module", "quitting_module", "json"])
    assert found.imported == ["json"]
    assert found.failed["broken_module"] == "RuntimeError: two lines"
    assert list(found.failed) == ["broken_module", "no_such_module", "quitting_module"]
    assert found.death == ""


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGILL)", "deadly: killed by SIGILL (this CPU lacks"),
        ("import time; time.sleep(60)", "deadly: took over 2 s"),
        ("import os; os._exit(7)", "deadly: exit code 7"),
    ],
)
def test_a_module_that_kills_the_process_is_named(tmp_path, monkeypatch, code, message):
    (tmp_path / "deadly.py").write_text(code)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    found = probe(["json", "deadly", "string"], seconds=2)
    assert found.imported == ["json"]
    assert message in found.death


def test_lines_that_are_not_the_childs_are_passed_over():
    lines = [
        "oneDNN is on",
        "[1]",
        json.dumps({"devices": ["CPU"], "cuda": False}),
        json.dumps({"milliseconds": {"a": 1}}),
    ]
    found = read_probe("\n".join(lines), "")
    assert (found.devices, found.milliseconds) == (["CPU"], {"a": 1})


@pytest.mark.slow
def test_tensorflow_tells_its_devices_and_times_both_types():
    found = probe(["tensorflow"])
    assert "CPU" in found.devices
    assert set(found.milliseconds) == {"float32", "bfloat16"}
    assert min(found.milliseconds.values()) > 0
