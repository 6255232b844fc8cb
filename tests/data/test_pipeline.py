"""A plan → tensors, in order."""

import numpy as np
import pytest
import tensorflow as tf

from keras_ft.data.array_writer import write_arrays
from keras_ft.data.pipeline import batches
from keras_ft.data.plan import plan
from keras_ft.data.plans import training_plans
from keras_ft.data.steps import assemble, ragged_steps


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


def planned(arrays, parts=1, **size):
    return ragged_steps(plan(arrays.lengths, 3, 1, **size), arrays.lengths, parts)


def test_batches_are_what_gather_gives_in_the_order_of_the_plan(arrays):
    steps = planned(arrays, batch_size=8)
    found = list(batches(arrays, steps).as_numpy_iterator())
    assert len(found) == len(steps) == 13
    for batch, step in zip(found, steps, strict=True):
        assert batch.pop("indices").tolist() == step.parts[0].examples.tolist()
        expected = arrays.gather(step.parts[0].examples)
        assert set(batch) == set(expected)
        for name, array in expected.items():
            assert np.array_equal(batch[name], array)
            assert batch[name].dtype == array.dtype


def test_resuming_in_the_middle_gives_the_rest_of_the_epoch(arrays):
    steps = planned(arrays, tokens_per_batch=200)
    whole = [batch["indices"].tolist() for batch in batches(arrays, steps).as_numpy_iterator()]
    rest = [batch["indices"].tolist() for batch in batches(arrays, steps, start=4).as_numpy_iterator()]
    assert rest == whole[4:]
    assert list(batches(arrays, steps, start=len(steps))) == []
    assert list(batches(arrays, [])) == []


def test_the_end_of_an_epoch_does_not_wait_for_the_tuner_of_tf_data(arrays):
    dataset = batches(arrays, planned(arrays, batch_size=8))
    assert dataset.options().autotune.enabled is False
    assert dataset.batch(2).prefetch(2).options().autotune.enabled is False, "the JAX engine batches it on"


def test_first_dimensions_are_dynamic_so_that_a_traced_step_is_traced_once(arrays):
    dataset = batches(arrays, planned(arrays, batch_size=8))
    specs = dataset.element_spec
    assert specs["ids"] == tf.TensorSpec([None], tf.int32)
    assert specs["spans"] == tf.TensorSpec([None, 2], tf.float32)
    assert specs["masked"] == tf.TensorSpec([None], tf.bool)
    assert specs["indices"] == tf.TensorSpec([None], tf.int64)
    assert dataset.cardinality() == 13


@pytest.mark.parametrize("start", [-1, 14])
def test_start_outside_the_plan_is_refused(arrays, start):
    with pytest.raises(ValueError, match="there are 13 steps"):
        batches(arrays, planned(arrays, batch_size=8), start=start)


@pytest.mark.parametrize("layout", ["ragged", "rows"])
def test_replicas_and_micro_batches_share_each_step_without_losing_or_doubling_an_example(arrays, layout):
    steps = training_plans(layout, arrays.lengths, 0, epochs=1, parts=6, batch_size=32).steps(0)
    found = list(batches(arrays, steps, replicas=range(2), accumulate=3).as_numpy_iterator())
    assert len(found) == 2 * len(steps) == 8
    for number, step in enumerate(steps):
        of_step = [batch["indices"].reshape(-1) for batch in found[2 * number : 2 * number + 2]]
        real = np.concatenate(of_step)
        real = real[real >= 0]
        assert sorted(real) == sorted(np.concatenate([part.examples[: part.real] for part in step.parts]))
        assert len(real) == (32 if number < 3 else 4)
        weights = sum(batch["example_weights"].sum() for batch in found[2 * number : 2 * number + 2])
        assert weights == len(real)
    second = list(batches(arrays, steps, replicas=[1], accumulate=3).as_numpy_iterator())
    for ours, both in zip(second, found[1::2], strict=True):
        assert np.array_equal(ours["ids"], both["ids"])


def test_shapes_are_static_where_all_steps_have_one(arrays):
    steps = training_plans("rows", arrays.lengths, 0, epochs=2, batch_size=16, most_shapes=1).steps(1)
    dataset = batches(arrays, steps)
    shape = steps[0].shape
    assert dataset.element_spec["ids"].shape == (shape.num_rows, shape.row_length)
    assert dataset.element_spec["masked"].shape == (shape.num_rows, shape.row_length)
    assert dataset.element_spec["spans"].shape == (16, 2)
    assert dataset.element_spec["label"].shape == (16,)


def test_rows_hold_the_same_tokens_and_features_as_the_ragged_layout(arrays):
    for step in training_plans("rows", arrays.lengths, 0, epochs=1, tokens_per_batch=300).steps(0):
        part = step.parts[0]
        packed, flat = assemble(arrays, part, step.shape), arrays.gather(part.examples)
        for name in ("ids", "masked", "positions"):
            values = packed[name].reshape(-1)
            for number, (first, length) in enumerate(zip(part.slots, arrays.lengths[part.examples], strict=True)):
                assert np.array_equal(values[first : first + length], flat[name][flat["sequence"] == number])
        assert packed["token_weights"].sum() == step.num_tokens == arrays.lengths[part.examples].sum()
        assert np.array_equal(packed["label"][: part.real], flat["label"])
        assert (packed["indices"][part.real :] == -1).all()
