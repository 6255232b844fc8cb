"""A .npy file that grows."""

import numpy as np
import pytest

from keras_ft.data.npy import NpyWriter


@pytest.mark.parametrize("row_shape", [(), (3,), (2, 5)])
def test_numpy_reads_what_was_appended(tmp_path, row_shape):
    path = tmp_path / "a.npy"
    parts = [np.random.default_rng(i).random((count, *row_shape)) for i, count in enumerate((0, 7, 12_345))]
    with NpyWriter(path, np.float32, row_shape) as writer:
        for part in parts:
            writer.append(part)
    assert writer.length == 12_352
    assert np.array_equal(np.load(path, mmap_mode="r"), np.concatenate(parts).astype(np.float32))


def test_rows_that_lie_scattered_in_memory_are_written_in_order(tmp_path):
    with NpyWriter(tmp_path / "a.npy", np.int32) as writer:
        writer.append(np.arange(10, dtype=np.int32)[::-2])
    assert np.load(tmp_path / "a.npy").tolist() == [9, 7, 5, 3, 1]


def test_file_left_by_an_error_claims_to_hold_nothing(tmp_path):
    def fail():
        with NpyWriter(tmp_path / "a.npy", np.int32) as writer:
            writer.append(np.arange(5))
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        fail()
    assert len(np.load(tmp_path / "a.npy")) == 0
