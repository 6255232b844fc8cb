import keras_hub
import numpy as np
import tensorflow as tf

from keras_ft.layers.arithmetic import Arithmetic
from keras_ft.layers.task_model import TaskModel, map_tensors


def tiny_model(seed: int = 0) -> TaskModel:
    return TaskModel(
        keras_hub.models.BertBackbone(50, 2, 2, 8, 16, max_sequence_length=16, dropout=0.0), Arithmetic(), 3, seed
    )


def test_weights_survive_saving_and_loading(tmp_path):
    model, other = tiny_model(0), tiny_model(1)
    model.save_weights(tmp_path / "model.weights.h5")
    other.load_weights(tmp_path / "model.weights.h5")
    for ours, theirs in zip(model.variables, other.variables, strict=True):
        assert np.array_equal(ours, theirs)


def test_the_head_starts_from_its_seed():
    assert np.array_equal(tiny_model(5).head.kernel, tiny_model(5).head.kernel)
    assert not np.array_equal(tiny_model(5).head.kernel, tiny_model(6).head.kernel)


def test_mapping_a_view_reaches_every_tensor_once_and_keeps_its_shape():
    model = tiny_model()
    seen = []

    def note(name, tensor):
        seen.append(name)
        return tf.identity(tensor)

    view = map_tensors(model.view(), note)
    assert len(seen) == len(set(seen))
    assert "backbone.layers.1.output_norm.0" in seen
    sizes = sum(int(np.prod(v.shape)) for v in model.variables)
    mapped = []
    map_tensors(view, lambda name, tensor: mapped.append(int(np.prod(tensor.shape))) or tensor)
    assert sum(mapped) == sizes
