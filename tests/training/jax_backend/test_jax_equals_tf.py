"""The numbers of the TensorFlow engine, on any mesh."""

import json

import numpy as np
import pytest

from keras_ft.evaluation.evaluate import evaluate
from tests.training.equal_steps import TASK, check_equal, jax_engine, learn, steps_in_rows

MESHES = [("one", 1), ("one", 4), ({"data": 4}, 1), ({"data": 2, "model": 2}, 2)]


@pytest.mark.parametrize(("strategy", "accumulate"), MESHES)
def test_twenty_steps_on_a_mesh_are_those_of_tensorflow_on_one_device(arrays, read, strategy, accumulate):
    engine = jax_engine(strategy, accumulate=accumulate)
    losses = learn(engine, arrays, steps_in_rows(arrays, engine.num_replicas * accumulate))
    check_equal(losses, engine.state(), read("twenty"), read("start"))


def test_a_checkpoint_of_tensorflow_goes_on_in_jax_and_the_other_way_round(arrays, read, results):
    engine, steps = jax_engine({"data": 2, "model": 2}), steps_in_rows(arrays, 2)
    engine.load_state(read("three"))
    losses = learn(engine, arrays, steps[:4], start=3)
    found, expected = engine.state(), read("four")
    assert losses == pytest.approx(expected["losses"], abs=1e-4)
    for name, array in found.items():
        if "seed_generator" not in name:
            np.testing.assert_allclose(array, expected[name], atol=1e-4, err_msg=name)
    np.savez(results / "four_of_jax.npz", **found)


def test_an_evaluation_on_a_mesh_measures_what_tensorflow_measures(arrays, read, results):
    engine = jax_engine({"data": 4})
    engine.load_state(read("twenty"))
    some = arrays.select(np.arange(101))
    assert evaluate(engine, TASK, some) == pytest.approx(json.loads((results / "metrics.json").read_text()), abs=1e-5)
    seen = np.concatenate([batch["indices"] for batch, _ in engine.evaluated(some)])
    assert sorted(seen) == list(range(101))
