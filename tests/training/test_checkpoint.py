import numpy as np
import pytest

from keras_ft.errors import WorkError
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
    assert np.array_equal(checkpoints.best(10)["model/kernel"], STATE["model/kernel"] + 1)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["best-00000010", "step-00000012"]


def test_a_damaged_checkpoint_is_named(tmp_path):
    checkpoints = Checkpoints(tmp_path, keep=1)
    checkpoints.save(5, STATE, {"step": 5})
    (tmp_path / "step-00000005" / "state.safetensors").write_bytes(b"damaged")
    with pytest.raises(WorkError, match="step-00000005"):
        checkpoints.latest()
