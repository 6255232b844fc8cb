"""Steps over the states of two markers are those of the TensorFlow engine."""

import json

import numpy as np
import pytest

from keras_ft.evaluation.evaluate import evaluate
from keras_ft.training.jax_engine import JaxEngine
from keras_ft.training.mesh import make_mesh
from tests.training.language_steps import STEPS, learn, settings, steps_in_rows
from tests.training.relation_steps import TASK, make_arrays, make_model


def test_steps_and_metrics_of_relations_are_those_of_tensorflow(tmp_path, read, results):
    arrays = make_arrays(tmp_path)
    engine = JaxEngine(make_model(), TASK, settings(), make_mesh({"data": 2}))
    engine.prepare(STEPS)
    losses = learn(engine, arrays, steps_in_rows(arrays, engine.num_replicas))
    expected = read("relation")
    assert losses == pytest.approx(expected["losses"], abs=1e-4)
    for name, array in engine.state().items():
        if "seed_generator" not in name:
            np.testing.assert_allclose(array, expected[name], atol=1e-3, err_msg=name)
    assert evaluate(engine, TASK, arrays) == pytest.approx(
        json.loads((results / "relation.json").read_text()), rel=1e-3
    )
