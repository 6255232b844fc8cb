"""Relations learn the same in every layout."""

import numpy as np
import pytest

from keras_ft.evaluation.evaluate import evaluate
from tests.training.language_steps import learn, ragged, steps_in_rows
from tests.training.relation_steps import TASK, make_arrays, tf_engine


def test_steps_and_metrics_in_rows_are_those_of_the_ragged_layout(tmp_path):
    arrays, plain, in_rows = make_arrays(tmp_path), tf_engine(), tf_engine("rows")
    expected, losses = learn(plain, arrays, ragged(arrays)), learn(in_rows, arrays, steps_in_rows(arrays))
    assert losses == pytest.approx(expected, abs=1e-4)
    for name, array in plain.state().items():
        np.testing.assert_allclose(in_rows.state()[name], array, atol=1e-3, err_msg=name)
    assert evaluate(in_rows, TASK, arrays) == pytest.approx(evaluate(plain, TASK, arrays), rel=1e-4)
