"""The same numbers whatever the devices, layouts and micro-batches; each strategy in processes of its own."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.training.equal_steps import BATCH, STEPS, make_arrays

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = Path(__file__).with_name("strategy_runs.py")
LAST = 27  # examples of the last batch


def environment(**more: str) -> dict[str, str]:
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1", "PYTHONPATH": str(ROOT)}
    return {**os.environ, **quiet, **more}


def two_workers() -> list[dict[str, str]]:
    """The environments of two workers on this machine."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    addresses = [f"127.0.0.1:{held.getsockname()[1]}" for held in sockets]
    for held in sockets:
        held.close()
    cluster = {"worker": addresses}
    return [
        environment(TF_CONFIG=json.dumps({"cluster": cluster, "task": {"type": "worker", "index": i}}), WORKER=str(i))
        for i in range(2)
    ]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("numbers")
    make_arrays(folder / "arrays", (STEPS - 1) * BATCH + LAST)
    return folder


def run(folder: Path, strategy: str, ways: list[str], environments: list[dict[str, str]]) -> None:
    command = [sys.executable, str(SCRIPT), str(folder), strategy, *ways]
    processes = [
        subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for env in environments
    ]
    for process in processes:
        said, _ = process.communicate(timeout=600)
        assert process.returncode == 0, said[-3000:]


@pytest.fixture(scope="module")
def one_device(folder) -> Path:
    run(folder, "one", ["ragged", "rows", "accumulated", "rows_accumulated", "float16", "masks"], [environment()])
    return folder


def check(folder: Path, first: str, second: str, losses: float = 1e-4, updates: float = 1e-3) -> None:
    """Every loss, and every tensor's update but those of key biases, whose true gradient is 0."""
    ours, theirs = (np.load(folder / f"{name}.npz") for name in (first, second))
    assert ours["losses"][-1] < ours["losses"][0]
    np.testing.assert_allclose(theirs["losses"], ours["losses"], rtol=0, atol=losses)
    np.testing.assert_allclose(theirs["norms"], ours["norms"], rtol=50 * losses)
    names = [name.removeprefix("before/") for name in ours.files if name.startswith("before/")]
    assert len(names) > 30
    for name in names:
        assert np.array_equal(ours[f"before/{name}"], theirs[f"before/{name}"])
        update, other = (found[f"after/{name}"] - found[f"before/{name}"] for found in (ours, theirs))
        if not name.endswith("key/bias"):
            assert np.linalg.norm(update - other) <= updates * np.linalg.norm(update), name


@pytest.mark.parametrize("way", ["rows", "accumulated", "rows_accumulated"])
def test_layouts_and_micro_batches_learn_the_same(one_device, way):
    check(one_device, "one.ragged", f"one.{way}")


def test_mirrored_learns_what_one_device_learns_and_resumes_bit_for_bit(one_device):
    run(one_device, "mirrored", ["ragged", "rows", "float16", "masks", "resumed"], [environment()])
    check(one_device, "one.ragged", "mirrored.ragged")
    check(one_device, "one.rows", "mirrored.rows")
    check(one_device, "one.float16", "mirrored.float16", losses=1e-3, updates=2e-2)
    check_masks(one_device / "mirrored.masks.npz", count=2 * 2 * 2)
    whole, resumed = (np.load(one_device / f"mirrored.{name}.npz") for name in ("ragged", "resumed"))
    for name in resumed.files:
        assert np.array_equal(whole[name], resumed[name]), name


def test_two_processes_learn_what_one_device_learns(one_device):
    run(one_device, "multi_worker", ["ragged"], two_workers())
    for number in range(2):
        check(one_device, "one.ragged", f"multi_worker{number}.ragged")


def test_no_mask_comes_twice_among_micro_batches_and_steps(one_device):
    check_masks(one_device / "one.masks.npz", count=2 * 2)


def check_masks(path: Path, count: int) -> None:
    keys = np.load(path)["keys"]
    assert len(np.unique(keys, axis=0)) == len(keys) == count
