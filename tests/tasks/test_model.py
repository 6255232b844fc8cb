"""A task's weights for a new run."""

import keras_hub
import numpy as np

from keras_ft.layers.arithmetic import Arithmetic
from keras_ft.presets.pretrained import Pretrained
from keras_ft.tasks.model import build_model
from keras_ft.tasks.multilabel import Multilabel


def test_the_head_of_a_new_run_begins_where_the_task_says():
    backbone = keras_hub.models.BertBackbone(20, 1, 2, 8, 16, max_sequence_length=8)
    pretrained = Pretrained("tiny", backbone, Arithmetic("gelu"), None, "mean")
    task = Multilabel(["a", "b"], "mean", 8, base_rates=[0.25, 0.5])
    np.testing.assert_allclose(build_model(task, pretrained, 0).head.bias, [np.log(1 / 3), 0], rtol=1e-6)
    assert not np.any(build_model(Multilabel(["a", "b"], "mean", 8), pretrained, 0).head.bias)
