"""A plan → tensors, in order."""

import numpy as np
import pytest
import tensorflow as tf

from keras_ft.data.array_writer import write_arrays
from keras_ft.data.pipeline import batches
from keras_ft.data.plan import plan


@pytest.fixture(scope="module")
def arrays(tmp_path_factory):
    generator = np.random.default_rng(0)
    lengths = generator.integers(1, 30, 100)
    chunk = {
        "ids": generator.integers(0, 30_000, lengths.sum()),
        "lengths": lengths,
        "label": np.arange(100, dtype=np.int32),
        "spans": generator.random((100, 2), dtype=np.float32),
        "masked": generator.random(lengths.sum()) < 0.15,
    }
    axes = {"label": "example", "spans": "example", "masked": "token"}
    return write_arrays(tmp_path_factory.mktemp("arrays"), "f", lambda _: [chunk], axes)


def test_batches_are_what_gather_gives_in_the_order_of_the_plan(arrays):
    batch_plan = plan(arrays.lengths, 0, 0, batch_size=8)
    found = list(batches(arrays, batch_plan).as_numpy_iterator())
    assert len(found) == len(batch_plan) == 13
    for batch, indices in zip(found, batch_plan, strict=True):
        assert batch.pop("rows").tolist() == indices.tolist()
        expected = arrays.gather(indices)
        assert set(batch) == set(expected)
        for name, array in expected.items():
            assert np.array_equal(batch[name], array)
            assert batch[name].dtype == array.dtype


def test_resuming_in_the_middle_gives_the_rest_of_the_epoch(arrays):
    batch_plan = plan(arrays.lengths, 3, 1, tokens_per_batch=200)
    whole = [batch["rows"].tolist() for batch in batches(arrays, batch_plan).as_numpy_iterator()]
    rest = [batch["rows"].tolist() for batch in batches(arrays, batch_plan, start=4).as_numpy_iterator()]
    assert rest == whole[4:]
    assert list(batches(arrays, batch_plan, start=len(batch_plan))) == []


def test_first_dimensions_are_dynamic_so_that_a_traced_step_is_traced_once(arrays):
    dataset = batches(arrays, plan(arrays.lengths, 0, 0, batch_size=8))
    specs = dataset.element_spec
    assert specs["ids"] == tf.TensorSpec([None], tf.int32)
    assert specs["spans"] == tf.TensorSpec([None, 2], tf.float32)
    assert specs["masked"] == tf.TensorSpec([None], tf.bool)
    assert specs["rows"] == tf.TensorSpec([None], tf.int64)
    assert dataset.cardinality() == 13


@pytest.mark.parametrize("start", [-1, 14])
def test_start_outside_the_plan_is_refused(arrays, start):
    with pytest.raises(ValueError, match="the plan has 13 batches"):
        batches(arrays, plan(arrays.lengths, 0, 0, batch_size=8), start=start)
