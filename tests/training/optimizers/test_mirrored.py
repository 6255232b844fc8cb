"""Updates under `tf.distribute`; this file is also the script that the test runs, with two logical CPUs."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from keras_ft.training.optimizers.methods import OPTIMIZERS


def test_an_update_under_two_replicas_is_that_of_one_device_with_the_same_gradient():
    root = Path(__file__).resolve().parents[3]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(root), *sys.path])}
    done = subprocess.run([sys.executable, __file__], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.split() == list(OPTIMIZERS)


def compare_updates(name: str, strategy) -> None:
    import tensorflow as tf

    from keras_ft.recipe import TrainSection
    from keras_ft.training.optimizers.averages import averaged_weights
    from keras_ft.training.optimizers.build import build_optimizer
    from tests.updates import RATES, arrays, gradients_of, tiny_model, update

    settings = TrainSection(
        optimizer=name, learning_rate=RATES[name], weight_decay=0.1, layer_decay=0.5, ema=0.7, warmup=2
    )
    single = tiny_model()
    optimizer = build_optimizer(settings, single, 10)
    with strategy.scope():
        mirrored = tiny_model()
        distributed = build_optimizer(settings, mirrored, 10)

    @tf.function(autograph=False)
    def step(gradients):
        strategy.run(lambda: update(distributed, mirrored.trainable_variables, gradients))

    for number in range(3):
        gradients = gradients_of(single.trainable_variables, number)
        update(optimizer, single.trainable_variables, gradients)
        step([tf.constant(gradient) for gradient in gradients])
    expected = [*single.variables, *optimizer.variables]
    for ours, theirs in zip([*mirrored.variables, *distributed.variables], expected, strict=True):
        copies = strategy.experimental_local_results(ours.value)
        assert len(copies) == 2, ours.path
        for copy in copies:
            np.testing.assert_allclose(copy, theirs, rtol=1e-5, atol=1e-7, err_msg=ours.path)
    raw = arrays(mirrored.trainable_variables)
    with averaged_weights(mirrored.trainable_variables, distributed.averages()):
        for variable, average in zip(mirrored.trainable_variables, distributed.averages(), strict=True):
            for copy in strategy.experimental_local_results(variable.value):
                assert np.array_equal(copy, average)
    for variable, before in zip(mirrored.trainable_variables, raw, strict=True):
        for copy in strategy.experimental_local_results(variable.value):
            assert np.array_equal(copy, before)


if __name__ == "__main__":
    import tensorflow as tf

    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    for name in OPTIMIZERS:
        compare_updates(name, strategy)
        print(name)
