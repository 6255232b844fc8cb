"""Two real processes train one run: one is killed, both are started again."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.tiny import write_recipe
from tests.training.test_strategies import two_workers

SECONDS_TO_NOTICE = 60


def start(recipe: Path, outs: list[Path]) -> list[subprocess.Popen]:
    command = [sys.executable, "-m", "keras_ft", "train", str(recipe), "--out"]
    return [
        subprocess.Popen([*command, str(out)], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for env, out in zip(two_workers(), outs, strict=True)
    ]


def ended(processes: list[subprocess.Popen], seconds: float = 240) -> list[tuple[int, str, str]]:
    """Exit code, what was printed and what was said on stderr, of each."""
    try:
        printed = [process.communicate(timeout=seconds) for process in processes]
        return [(process.returncode, *said) for process, said in zip(processes, printed, strict=True)]
    finally:
        for process in processes:
            process.kill()


@pytest.mark.slow
@pytest.mark.parametrize("victim", [0, 1], ids=["the chief", "the other"])
def test_a_killed_worker_is_told_by_the_other_and_both_go_on_when_started_again(tmp_path, victim):
    recipe = write_recipe(tmp_path, train="{epochs: 40, batch_size: 8, checkpoint: {every: 7 steps}}")
    run = tmp_path / "run"
    workers = start(recipe, [run, run])
    deadline = time.monotonic() + 240
    while not list((run / "checkpoints").glob("step-*[0-9]")) and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(workers[victim].pid, signal.SIGKILL)
    killed = time.monotonic()
    survivor = ended([workers[1 - victim]], SECONDS_TO_NOTICE)[0]
    assert time.monotonic() - killed < SECONDS_TO_NOTICE
    workers[victim].communicate()
    code, _, said = survivor
    assert code == 75, said
    assert f"worker {victim}, one of 2 that train together, was lost after step" in said
    assert "Traceback" not in said
    assert not (run / "metrics.json").exists()

    (chief_code, _, told), (other_code, printed, other_told) = ended(start(recipe, [run, run]))
    assert (chief_code, other_code) == (0, 0), told + other_told
    assert "Resuming from step" in told
    assert "step" not in printed + other_told
    assert (run / "metrics.json").is_file()
    assert (run / "report.html").is_file()


@pytest.mark.slow
def test_a_worker_that_does_not_see_the_chiefs_folder_says_so_and_both_end(tmp_path):
    recipe = write_recipe(tmp_path)
    found = ended(start(recipe, [tmp_path / "run", tmp_path / "elsewhere"]))
    for code, _, said in found:
        assert code == 2, said
        assert "worker 1: " in said
        assert "elsewhere/data does not hold what the chief prepared" in said
    assert not (tmp_path / "elsewhere").exists()
