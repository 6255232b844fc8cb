"""A language model's steps are those of the TensorFlow engine."""

import json

import numpy as np
import pytest

from keras_ft.evaluation.evaluate import evaluate
from keras_ft.training.jax_engine import JaxEngine
from keras_ft.training.mesh import make_mesh
from tests.tiny_language import tiny_gpt2
from tests.training.language_steps import STEPS, TASK, learn, make_arrays, settings, steps_in_rows


@pytest.mark.parametrize(("strategy", "accumulate"), [("one", 1), ({"data": 2}, 2)])
def test_steps_and_metrics_of_a_language_model_are_those_of_tensorflow(tmp_path, read, results, strategy, accumulate):
    arrays = make_arrays(tmp_path)
    engine = JaxEngine(tiny_gpt2(), TASK, settings(accumulate=accumulate), make_mesh(strategy))
    engine.prepare(STEPS)
    losses = learn(engine, arrays, steps_in_rows(arrays, engine.num_replicas * accumulate))
    expected = read("language")
    assert losses == pytest.approx(expected["losses"], abs=1e-4)
    for name, array in engine.state().items():
        if "seed_generator" not in name:
            np.testing.assert_allclose(array, expected[name], atol=1e-3, err_msg=name)
    found = evaluate(engine, TASK, arrays)
    assert found == pytest.approx(json.loads((results / "language.json").read_text()), rel=1e-3)
    batch, answers = next(iter(engine.evaluated(arrays)))
    assert max(values.size for values in answers.outputs.values()) <= len(batch["indices"])  # no logits on the host
