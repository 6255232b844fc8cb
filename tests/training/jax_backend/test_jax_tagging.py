"""A tagger's steps are those of the TensorFlow engine, also along a random field over several windows."""

import json

import numpy as np
import pytest

from keras_ft.evaluation.evaluate import evaluate
from keras_ft.training.jax_engine import JaxEngine
from keras_ft.training.mesh import make_mesh
from tests.training.tagging_steps import FIELD, PLAIN, STEPS, learn, make_arrays, make_model, settings, steps_in_rows


@pytest.mark.parametrize(("task", "strategy", "accumulate"), [(PLAIN, "one", 1), (FIELD, {"data": 2}, 2)])
def test_steps_and_metrics_of_a_tagger_are_those_of_tensorflow(tmp_path, read, results, task, strategy, accumulate):
    arrays = make_arrays(tmp_path)
    engine = JaxEngine(make_model(task), task, settings(accumulate=accumulate), make_mesh(strategy))
    engine.prepare(STEPS)
    losses = learn(engine, arrays, steps_in_rows(arrays, engine.num_replicas * accumulate))
    name = "field" if task.crf else "tagger"
    expected = read(name)
    assert losses == pytest.approx(expected["losses"], abs=1e-4)
    for variable, array in engine.state().items():
        if "seed_generator" not in variable:
            np.testing.assert_allclose(array, expected[variable], atol=1e-3, err_msg=variable)
    found = evaluate(engine, task, arrays)
    assert found["f1"] > 0
    assert found == pytest.approx(json.loads((results / f"{name}.json").read_text()), rel=1e-3)
