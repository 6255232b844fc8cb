"""A tagger's steps and answers, plain and with a random field, in both layouts."""

import numpy as np
import pytest

from keras_ft.batch import TokenBatch
from keras_ft.data.plans import evaluation_steps
from keras_ft.data.steps import assemble
from keras_ft.evaluation.evaluate import evaluate
from keras_ft.tasks.tag_schemes import forbidden
from tests.training.tagging_steps import (
    FIELD,
    PLAIN,
    learn,
    make_arrays,
    make_model,
    ragged,
    steps_in_rows,
    tf_engine,
)


@pytest.fixture(scope="module")
def arrays(tmp_path_factory):
    return make_arrays(tmp_path_factory.mktemp("arrays"))


@pytest.mark.parametrize("task", [PLAIN, FIELD], ids=["plain", "crf"])
def test_rows_and_micro_batches_change_no_step_and_no_metric(arrays, task):
    plain = tf_engine(task)
    expected, start = learn(plain, arrays, ragged(arrays)), make_model(task)
    metrics = evaluate(plain, task, arrays)
    assert metrics["f1"] > 0
    engine = tf_engine(task, "rows", accumulate=2)
    assert learn(engine, arrays, steps_in_rows(arrays, 2)) == pytest.approx(expected, abs=1e-4)
    for name, array in plain.state().items():
        np.testing.assert_allclose(engine.state()[name], array, atol=1e-3, err_msg=name)
    assert evaluate(engine, task, arrays) == pytest.approx(metrics, abs=1e-4)
    if task.crf:
        moved = np.abs(plain.state()["model/extra/transitions"] - np.array(start.extra.variables[0]))
        first, between = forbidden(2)
        assert moved[:5][~between].min() > 1e-4  # what BIO allows is learned
        assert moved[5][~first].min() > 1e-4
        assert moved[:5][between].max() < 1e-5


def test_the_divisor_counts_the_words_of_examples_that_count(arrays):
    few = arrays.select(np.arange(3))
    words = sum(int(few.gather(np.array([i]))["word_start"].sum()) for i in range(3))
    for layout in ("ragged", "rows"):
        steps = evaluation_steps(layout, few.lengths, 2, parts=2)
        parts = [assemble(few, part, step.shape) for step in steps for part in step.parts]
        batches = [TokenBatch.from_tensors({n: v for n, v in p.items() if n != "indices"}, PLAIN.axes) for p in parts]
        assert sum(float(PLAIN.divisor(batch)) for batch in batches) == words
