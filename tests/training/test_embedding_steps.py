import numpy as np
import pytest

from keras_ft.evaluation.evaluate import evaluate
from tests.training.embedding_steps import TASK, learn, make_arrays, make_model, ragged, steps_in_rows, tf_engine


def test_steps_and_metrics_of_several_texts_an_example_are_the_same_in_both_layouts(tmp_path):
    arrays = make_arrays(tmp_path)
    found = {}
    for layout, steps in {"ragged": ragged(arrays), "rows": steps_in_rows(arrays)}.items():
        engine = tf_engine(layout)
        start = engine.state()
        losses = learn(engine, arrays, steps)
        found[layout] = losses, engine.state(), evaluate(engine, TASK, arrays)
    (losses, state, metrics), (in_rows, state_in_rows, metrics_in_rows) = found.values()
    assert max(np.abs(state[name] - start[name]).max() for name in state if name.endswith("query/kernel")) > 1e-3
    np.testing.assert_allclose(in_rows, losses, atol=1e-4)
    for name, values in state.items():
        if "seed_generator" not in name:
            np.testing.assert_allclose(state_in_rows[name], values, atol=1e-4, err_msg=name)
    assert metrics_in_rows == pytest.approx(metrics, abs=1e-4)
    assert set(metrics) == {"loss", "recall_at_1", "recall_at_10", "mrr", "triplet_accuracy"}


def test_negatives_come_from_the_own_micro_batch_alone(tmp_path):
    """The loss of a step is the mean over its examples, each told apart within its part."""
    from keras_ft.batch import TokenBatch
    from keras_ft.data.steps import assemble

    arrays, model = make_arrays(tmp_path), make_model()
    step = ragged(arrays)[0]
    total = 0.0
    for part in step.parts:
        batch = TokenBatch.from_tensors(
            {name: values for name, values in assemble(arrays, part, None).items() if name != "indices"}, TASK.axes
        )
        losses, weights = TASK.loss(TASK.forward(model.view(), batch), batch)
        total += float(np.sum(np.array(losses) * np.array(weights)))
    assert learn(tf_engine("ragged"), arrays, [step])[0] == pytest.approx(total / step.num_examples, abs=1e-5)
