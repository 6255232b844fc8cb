import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_ft.errors import RequestError
from keras_ft.recipe import TrainSection
from keras_ft.training.adamw import FusedAdamW
from keras_ft.training.optimizer import WarmUpThenDecay, build_optimizer


def test_the_fused_update_is_keras_adamw_step_for_step():
    def run(kind):
        rng = np.random.default_rng(0)
        variables = [keras.Variable(rng.normal(size=shape).astype("float32")) for shape in [(5, 3), (7,)]]
        optimizer = kind(learning_rate=1e-2, weight_decay=0.1, epsilon=1e-8)
        optimizer.build(variables)
        for _ in range(20):
            gradients = [tf.constant(rng.normal(size=v.shape).astype("float32")) for v in variables]
            optimizer.apply_gradients(zip(gradients, variables, strict=True))
        return [np.array(v) for v in variables] + [np.array(v) for v in optimizer.variables]

    for ours, theirs in zip(run(FusedAdamW), run(keras.optimizers.AdamW), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("shape", "middle"), [("linear", 0.5), ("cosine", 0.5), ("polynomial", 0.25), ("constant", 1.0)]
)
def test_schedules_rise_over_the_warm_up_and_fall_in_their_shape(shape, middle):
    rate = WarmUpThenDecay(2.0, total_steps=110, warmup_steps=10, shape=shape)
    assert float(rate(0)) == pytest.approx(0.2)
    assert float(rate(9)) == pytest.approx(2.0)
    assert float(rate(10)) == pytest.approx(2.0)
    assert float(rate(60)) == pytest.approx(2.0 * middle, rel=1e-3)
    assert float(rate(110)) == pytest.approx(2.0 if shape == "constant" else 0.0, abs=1e-6)


def test_biases_and_norms_do_not_decay():
    kernel = keras.Variable(np.ones((2, 2), "float32"), name="kernel")
    bias = keras.Variable(np.ones(2, "float32"), name="bias")
    optimizer = build_optimizer(TrainSection(weight_decay=0.5, schedule="constant", warmup=0), [kernel, bias], 10)
    optimizer.apply_gradients([(tf.zeros((2, 2)), kernel), (tf.zeros(2), bias)])
    assert np.array(kernel).max() < 1
    assert np.array(bias).min() == 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"optimizer": "adamv"}, "did you mean 'adamw'"),
        ({"optimizer": {"name": "adamw", "beta1": 0.9}}, "did you mean 'beta_1'"),
        ({"warmup": 500}, "warmup is 500 steps; the run has only 10"),
    ],
)
def test_a_wrong_optimizer_is_refused(settings, message):
    with pytest.raises(RequestError) as error:
        build_optimizer(TrainSection(**settings), [keras.Variable(np.ones(1, "float32"))], 10)
    assert message in str(error.value)
