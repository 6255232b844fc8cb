"""The benchmark of the same name, with a tiny model and two kills, one of them while a checkpoint is written."""

import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.tiny import write_hugging_face, write_recipe

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"


@pytest.fixture
def benchmark(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    monkeypatch.setattr(sys, "path", [*sys.path])
    import kill_and_resume

    return kill_and_resume


@pytest.mark.slow
def test_a_run_killed_twice_ends_as_one_never_killed_bit_for_bit(tmp_path, benchmark):
    recipe = write_recipe(
        tmp_path, train="{steps: 120, batch_size: 8, checkpoint: {every: 5 steps}}", logging="{every: 1}"
    )
    write_hugging_face(tmp_path / "bert", num_hidden_layers=2)
    rows = benchmark.kill_and_resume(recipe, tmp_path, "tensorflow", [33, 71])
    assert [row["killed at"] for row in rows][-1] == "finished"
    assert [row["resumed from"] > 0 for row in rows] == [False, True, True]
    benchmark.finish(benchmark.start(recipe, tmp_path / "whole", "tensorflow"))
    ours, theirs = (benchmark.weights(tmp_path / name) for name in ("killed", "whole"))
    assert len(ours) > 30
    assert benchmark.differing(ours, theirs) == []
    assert benchmark.differing({**ours, "x": ours[min(ours)]}, theirs) == ["x"], "it would notice"


@pytest.mark.slow
def test_sigterm_ends_the_command_with_the_code_for_resume_me_and_no_traceback(tmp_path, benchmark):
    recipe = write_recipe(tmp_path, train="{epochs: 5000, batch_size: 8}", logging="{every: 1}")
    process = subprocess.Popen(
        [sys.executable, "-m", "keras_ft", "train", str(recipe), "--out", str(tmp_path / "run"), "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 300
    while benchmark.logged_step(tmp_path / "run") < 3 and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    printed, errors = process.communicate(timeout=120)
    assert process.returncode == 75, errors
    assert printed == ""
    assert re.search(r"keras-ft: stopped by SIGTERM after step \d+; the same command goes on from there\n$", errors)
    assert "Traceback" not in errors
    assert list((tmp_path / "run" / "checkpoints").glob("step-*[0-9]"))
