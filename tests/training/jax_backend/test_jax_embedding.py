"""An embedding model's steps are those of the TensorFlow engine: replicas tell apart what micro-batches do."""

import json

import numpy as np
import pytest

from keras_ft.evaluation.evaluate import evaluate
from keras_ft.training.jax_engine import JaxEngine
from keras_ft.training.mesh import make_mesh
from tests.training.embedding_steps import PARTS, STEPS, TASK, learn, make_arrays, make_model, settings, steps_in_rows


def test_steps_and_metrics_of_an_embedding_model_are_those_of_tensorflow(tmp_path, read, results):
    arrays = make_arrays(tmp_path)
    engine = JaxEngine(make_model(), TASK, settings(), make_mesh({"data": PARTS}))
    engine.prepare(STEPS)
    losses = learn(engine, arrays, steps_in_rows(arrays))
    expected = read("embedding")
    assert losses == pytest.approx(expected["losses"], abs=1e-4)
    for name, array in engine.state().items():
        if "seed_generator" not in name:
            np.testing.assert_allclose(array, expected[name], atol=1e-3, err_msg=name)
    assert evaluate(engine, TASK, arrays) == pytest.approx(
        json.loads((results / "embedding.json").read_text()), abs=1e-3
    )
