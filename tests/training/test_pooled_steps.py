"""Pair, multilabel and regression in both layouts of the TensorFlow engine."""

import numpy as np
import pytest

from keras_ft.evaluation.evaluate import evaluate
from tests.training.pooled_steps import (
    TASKS,
    check_equal,
    learn,
    make_arrays,
    make_model,
    ragged,
    steps_in_rows,
    tf_engine,
)


@pytest.mark.parametrize("name", TASKS)
def test_rows_and_micro_batches_change_neither_a_step_nor_a_metric(name, tmp_path):
    task = TASKS[name]
    arrays = make_arrays(task, tmp_path)
    plain, rows = tf_engine(task), tf_engine(task, "rows", accumulate=2)
    expected = learn(plain, arrays, ragged(arrays))
    assert learn(rows, arrays, steps_in_rows(arrays, 2)) == pytest.approx(expected, abs=1e-4)
    start = make_model(task).head.kernel.numpy()
    assert np.abs(plain.state()["model/head/kernel"] - start).max() > 0.005
    check_equal(rows.state(), plain.state())
    some = arrays.select(np.arange(33))
    metrics = evaluate(plain, task, some)
    assert evaluate(rows, task, some) == pytest.approx(metrics, rel=1e-3, abs=1e-3)
    assert set(metrics) == {"loss", *task.metrics().names}
