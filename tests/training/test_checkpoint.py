import errno
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest

from keras_ft.errors import WorkError
from keras_ft.training import checkpoint as module
from keras_ft.training.checkpoint import Checkpoints

STATE = {"model/kernel": np.arange(6, dtype="float32").reshape(2, 3), "optimizer/iteration": np.array(7, "int64")}


def test_the_latest_whole_checkpoint_comes_back_and_old_ones_go(tmp_path):
    checkpoints = Checkpoints(tmp_path, keep=2)
    assert checkpoints.latest() is None
    for step in (5, 10, 15):
        checkpoints.save(step, STATE, {"step": step})
    state, progress = checkpoints.latest()
    assert progress == {"step": 15}
    for name, array in STATE.items():
        assert np.array_equal(state[name], array)
        assert state[name].dtype == array.dtype
    assert sorted(p.name for p in tmp_path.iterdir()) == ["step-00000010", "step-00000015"]


def test_a_crash_while_writing_leaves_the_last_good_one(tmp_path):
    checkpoints = Checkpoints(tmp_path, keep=2)
    checkpoints.save(5, STATE, {"step": 5})
    checkpoints.wait()
    half = tmp_path / "step-00000010.writing"
    half.mkdir()
    (half / "state.safetensors").write_bytes(b"half")
    assert checkpoints.latest()[1] == {"step": 5}
    checkpoints.save(10, STATE, {"step": 10})
    assert checkpoints.latest()[1] == {"step": 10}


def test_only_the_best_weights_are_kept_whatever_keep_says(tmp_path):
    checkpoints = Checkpoints(tmp_path, keep=1)
    checkpoints.save_best(5, STATE, {})
    checkpoints.save(7, STATE, {"best_step": 5})
    checkpoints.save_best(10, {"model/kernel": STATE["model/kernel"] + 1}, {})
    assert checkpoints.best(5), "the last checkpoint still names it"
    checkpoints.save(12, STATE, {"best_step": 10})
    checkpoints.wait()
    assert np.array_equal(checkpoints.best(10)["model/kernel"], STATE["model/kernel"] + 1)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["best-00000010", "step-00000012"]


def test_a_damaged_checkpoint_is_named(tmp_path):
    checkpoints = Checkpoints(tmp_path, keep=1)
    checkpoints.save(5, STATE, {"step": 5})
    checkpoints.wait()
    (tmp_path / "step-00000005" / "state.safetensors").write_bytes(b"damaged")
    with pytest.raises(WorkError, match="step-00000005"):
        checkpoints.latest()


class Disk:
    """Stands for `os.fsync`, the last thing that can fail: it may be full, or slow."""

    def __init__(self, monkeypatch):
        self.failures = 0
        self.free = threading.Event()
        self.free.set()
        monkeypatch.setattr(module, "_to_disk", self.write)

    def write(self, path: Path) -> None:
        self.free.wait(10)
        if self.failures:
            self.failures -= 1
            raise OSError(errno.ENOSPC, "No space left on device")


@pytest.fixture
def disk(monkeypatch) -> Disk:
    return Disk(monkeypatch)


def test_training_goes_on_while_one_is_written_and_the_next_waits_for_it(tmp_path, disk):
    saved = []
    checkpoints = Checkpoints(tmp_path, 2, lambda: saved.append(threading.current_thread().name))
    disk.free.clear()
    checkpoints.save(5, STATE, {"step": 5})
    assert not (tmp_path / "step-00000005").exists()
    second = threading.Thread(target=checkpoints.save, args=(10, STATE, {"step": 10}))
    second.start()
    second.join(0.2)
    assert second.is_alive(), "two would be written at once"
    disk.free.set()
    second.join(10)
    checkpoints.wait()
    assert [p.name for p in sorted(tmp_path.iterdir())] == ["step-00000005", "step-00000010"]
    assert saved == ["checkpoint", "checkpoint"]


def test_the_end_waits_for_the_writer(tmp_path, disk):
    disk.free.clear()
    with Checkpoints(tmp_path, 2) as checkpoints:
        checkpoints.save(5, STATE, {"step": 5})
        threading.Timer(0.1, disk.free.set).start()
    assert (tmp_path / "step-00000005").is_dir()


def test_a_disk_that_was_full_for_a_moment_costs_nothing(tmp_path, disk):
    checkpoints = Checkpoints(tmp_path, 3)
    disk.failures = 1
    checkpoints.save(5, STATE, {"step": 5})
    checkpoints.save(10, STATE, {"step": 10})
    checkpoints.wait()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["step-00000005", "step-00000010"]


def test_a_disk_that_stays_full_is_one_clear_error_and_the_last_good_one_stays(tmp_path, disk):
    checkpoints = Checkpoints(tmp_path, 1)
    checkpoints.save(5, STATE, {"step": 5, "best_step": 4})
    checkpoints.wait()
    disk.failures = 99
    checkpoints.save(10, STATE, {"step": 10})
    with pytest.raises(WorkError, match=r"step-00000010 cannot be written \(No space left on device\); the one before"):
        checkpoints.save(15, STATE, {"step": 15})
    assert [p.name for p in tmp_path.iterdir()] == ["step-00000005"]
    assert Checkpoints(tmp_path, 1).latest()[1] == {"step": 5, "best_step": 4}


def test_an_error_of_training_is_not_hidden_by_one_of_the_writer(tmp_path, disk):
    disk.failures = 99
    checkpoints = Checkpoints(tmp_path, 1)

    def fail():
        with checkpoints:
            checkpoints.save(5, STATE, {})
            raise ValueError("of training")

    with pytest.raises(ValueError, match="of training"):
        fail()


@pytest.mark.parametrize("killed_at", ["rename", "rmtree"])
def test_a_kill_while_a_step_is_saved_again_harms_none(tmp_path, monkeypatch, killed_at):
    checkpoints = Checkpoints(tmp_path, keep=1)
    checkpoints.save(5, STATE, {"step": 5, "which": "first"})
    checkpoints.wait()

    class Killed(BaseException):
        pass

    def killed(path, *rest, **options):
        if Path(path).suffix == (".writing" if killed_at == "rename" else ".replaced") and Path(path).exists():
            raise Killed
        return original(path, *rest, **options)

    owner = Path if killed_at == "rename" else shutil
    original = getattr(owner, killed_at)
    monkeypatch.setattr(owner, killed_at, killed)
    checkpoints.save(5, STATE, {"step": 5, "which": "second"})
    with pytest.raises(Killed):
        checkpoints.wait()
    monkeypatch.undo()
    which = "first" if killed_at == "rename" else "second"
    assert Checkpoints(tmp_path, keep=1).latest()[1] == {"step": 5, "which": which}
    assert [p.name for p in tmp_path.iterdir()] == ["step-00000005"]


def test_a_worker_that_is_not_the_chief_reads_and_leaves_alone(tmp_path):
    chief, other = Checkpoints(tmp_path, 2), Checkpoints(tmp_path, 2, writes=False)
    other.save(5, STATE, {"step": 5})
    other.save_best(5, STATE, {})
    other.wait()
    assert not list(tmp_path.iterdir())
    chief.save_best(5, STATE, {})
    chief.save(5, STATE, {"step": 5, "best_step": 5})
    chief.wait()
    (tmp_path / "step-00000010.writing").mkdir()
    assert Checkpoints(tmp_path, 2, writes=False).latest()[1]["step"] == 5
    assert np.array_equal(other.best(5)["model/kernel"], STATE["model/kernel"])
    assert (tmp_path / "step-00000010.writing").exists(), "the chief is writing it"
