"""Steps and metrics of multilabel and regression are those of the TensorFlow engine."""

import json

import pytest

from keras_ft.evaluation.evaluate import evaluate
from keras_ft.training.jax_engine import JaxEngine
from keras_ft.training.mesh import make_mesh
from tests.training.pooled_steps import (
    STEPS,
    TASKS,
    UNDER_JAX,
    check_equal,
    learn,
    make_arrays,
    make_model,
    settings,
    steps_in_rows,
)


@pytest.mark.parametrize("name", UNDER_JAX)
def test_steps_and_metrics_are_those_of_tensorflow(tmp_path, read, results, name):
    task = TASKS[name]
    arrays = make_arrays(task, tmp_path)
    engine = JaxEngine(make_model(task), task, settings(), make_mesh({"data": 2}))
    engine.prepare(STEPS)
    expected = read(name)
    assert learn(engine, arrays, steps_in_rows(arrays, 2)) == pytest.approx(expected["losses"], abs=1e-4)
    check_equal(engine.state(), expected)
    wanted = json.loads((results / f"{name}.json").read_text())
    assert evaluate(engine, task, arrays) == pytest.approx(wanted, rel=1e-3, abs=1e-3)
