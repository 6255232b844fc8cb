import keras_hub
import numpy as np
import pytest
import tensorflow as tf

from keras_ft.batch import FIELDS, TokenBatch
from keras_ft.layers.arithmetic import Arithmetic
from keras_ft.layers.task_model import TaskModel
from keras_ft.recipe import TrainSection
from keras_ft.tasks.classification import Classification
from keras_ft.training.tf_engine import TFEngine


def engine_of(activation: str, size: int = 64, layers: int = 2, **settings) -> TFEngine:
    backbone = keras_hub.models.BertBackbone(500, layers, 4, size, 4 * size, max_sequence_length=128, dropout=0.0)
    model = TaskModel(backbone, Arithmetic(activation), 2)
    backbone.pooled_dense.trainable = False
    engine = TFEngine(model, Classification(["a", "b"], "mean", 128), TrainSection(**settings))
    engine.prepare(100)
    return engine


def tensors_of(lengths: list[int]) -> dict[str, tf.Tensor]:
    rng = np.random.default_rng(0)
    batch = TokenBatch.from_lengths(
        tf.constant(rng.integers(0, 500, sum(lengths)), tf.int32), tf.constant(lengths, tf.int32)
    )
    fields = {name: getattr(batch, name) for name in FIELDS}
    return {**fields, "label": tf.constant(rng.integers(0, 2, len(lengths)), tf.int32)}


@pytest.mark.parametrize("activation", ["gelu", "gelu_new"])
def test_a_step_repeats_bit_for_bit_whatever_the_threads_do(activation):
    """Large enough that TensorFlow's graph optimizer would reorder the sums of a many-term gradient."""
    engine, batch = engine_of(activation, size=256, layers=4), tensors_of([128] * 16)
    start = {name: np.array(array) for name, array in engine.state().items()}
    results = []
    for _ in range(8):
        engine.load_state(start)
        engine.train_step([batch], 5)
        results.append({name: np.array(array) for name, array in engine.state().items()})
    for other in results[1:]:
        for name, array in results[0].items():
            assert np.array_equal(array, other[name]), name


def test_the_whole_state_comes_back_in_another_engine_of_the_process():
    batch = tensors_of([5, 9, 3])
    first, second = engine_of("gelu"), engine_of("gelu")
    for step in range(3):
        first.train_step([batch], step)
    second.load_state(first.state())
    assert first.train_step([batch], 3) == second.train_step([batch], 3)
    for name, array in first.state().items():
        assert np.array_equal(array, second.state()[name]), name


def test_the_gradient_is_clipped_and_its_norm_told():
    batch = tensors_of([5, 9, 3])
    loose, tight = engine_of("gelu", dropout=0.0), engine_of("gelu", dropout=0.0, clip_norm=1e-9, weight_decay=0.0)
    tight.load_state({k: v for k, v in loose.state().items() if k.startswith("model/")})
    norms = [engine.train_step([batch], 0)["gradient_norm"] for engine in (loose, tight)]
    assert norms[0] == pytest.approx(norms[1], rel=1e-5)
    assert norms[0] > 1e-3


def test_a_pooler_that_the_task_does_not_use_is_left_alone():
    engine = engine_of("gelu")
    pooler = np.array(engine.model.backbone.pooled_dense.kernel)
    engine.train_step([tensors_of([4, 4])], 0)
    assert np.array_equal(pooler, engine.model.backbone.pooled_dense.kernel)


def test_a_step_is_traced_once_whatever_the_lengths():
    engine, traces = engine_of("gelu"), []
    forward = engine.task.forward
    engine.task.forward = lambda *arguments: traces.append(1) or forward(*arguments)
    for step, lengths in enumerate([[5, 9, 3], [4, 4], [7], [2, 2, 2, 2]]):
        engine.train_step([tensors_of(lengths)], step)
    assert len(traces) == 1
