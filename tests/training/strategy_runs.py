"""Twenty steps of the TensorFlow engine over exactly the same batches, under one strategy, in several ways.

python tests/training/strategy_runs.py FOLDER STRATEGY NAME …   → FOLDER/STRATEGY.NAME.npz

A process of its own for each strategy, since devices are divided before TensorFlow begins. FOLDER/arrays holds the
examples.
"""

import os
import sys
from pathlib import Path

import numpy as np

os.environ["KERAS_BACKEND"] = "tensorflow"
WAYS = {
    "ragged": {},
    "rows": {"layout": "rows"},
    "accumulated": {"accumulate": 4},
    "rows_accumulated": {"layout": "rows", "accumulate": 4},
    "float16": {"precision": "float16"},
}


def steps_of(engine, arrays):
    from tests.training.equal_steps import ragged, steps_in_rows

    steps = ragged if engine.layout == "ragged" else steps_in_rows
    return steps(arrays, engine.num_replicas * engine.settings.accumulate)


def after(engine):
    return {f"after/{k}": v for k, v in engine.state().items() if k.startswith("model/")}


def trained(arrays, strategy, **way):
    """Losses, and every weight before and after."""
    from tests.training.equal_steps import STEPS, tf_engine

    engine = tf_engine(strategy, **way)
    before = {f"before/{k}": v for k, v in engine.state().items() if k.startswith("model/")}
    logs = [engine.train_step(b, n) for n, b in enumerate(engine.batches(arrays, steps_of(engine, arrays), 0))]
    assert len(logs) == STEPS
    losses, norms = (np.array([log[name] for log in logs]) for name in ("loss", "gradient_norm"))
    return {"losses": losses, "norms": norms, **before, **after(engine)}


def resumed(arrays, strategy):
    """As `trained`, but another engine takes over in the middle."""
    from tests.training.equal_steps import learn, tf_engine

    first, second = tf_engine(strategy), tf_engine(strategy)
    steps = steps_of(first, arrays)
    losses = learn(first, arrays, steps[:7])
    second.load_state(first.state())
    return {"losses": np.concatenate([losses, learn(second, arrays, steps, start=7)]), **after(second)}


def masks(arrays, strategy):
    """The key that each forward pass of two steps of two micro-batches gets, on every replica."""
    from unittest.mock import patch

    import tensorflow as tf

    from tests.training.equal_steps import TASK, learn, tf_engine

    keys, forward = [], TASK.forward

    def listening(view, batch, rate, key):
        note = tf.numpy_function(lambda data: keys.append(data) or np.int32(0), [key.data], tf.int32)
        with tf.control_dependencies([note]):
            return forward(view, batch, rate, key)

    engine = tf_engine(strategy, dropout=0.1, accumulate=2)
    with patch.object(TASK, "forward", listening):
        learn(engine, arrays, steps_of(engine, arrays)[:2])
    return {"keys": np.array(keys)}


OTHERS = {"resumed": resumed, "masks": masks}


def main(folder, strategy_name, names):
    import tensorflow as tf

    from keras_ft.data.arrays import TokenArrays
    from keras_ft.recipe import RuntimeSection
    from keras_ft.training.strategy import build_strategy

    if strategy_name == "mirrored":
        cpu = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    strategy = build_strategy(RuntimeSection(strategy=strategy_name))
    arrays = TokenArrays.open(folder / "arrays", "f")
    worker = os.environ.get("WORKER", "")
    for name in names:
        found = OTHERS[name](arrays, strategy) if name in OTHERS else trained(arrays, strategy, **WAYS[name])
        np.savez(folder / f"{strategy_name}{worker}.{name}.npz", **found)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3:])
