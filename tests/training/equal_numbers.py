"""Twenty steps of the real engine over exactly the same batches, under one strategy, in several ways.

python tests/training/equal_numbers.py FOLDER STRATEGY NAME …   → FOLDER/STRATEGY.NAME.npz

A process of its own for each strategy, since devices are divided before TensorFlow begins.
"""

import os
import sys
from pathlib import Path

import numpy as np

os.environ["KERAS_BACKEND"] = "tensorflow"
STEPS, BATCH, LAST = 20, 32, 27
WAYS = {
    "ragged": {},
    "rows": {"layout": "rows"},
    "accumulated": {"accumulate": 4},
    "rows_accumulated": {"layout": "rows", "accumulate": 4},
    "float16": {"precision": "float16"},
}


def write_examples(folder):
    """Tokenized examples of 2 to 24 tokens, as `prepare` would leave them."""
    from keras_ft.data.array_writer import write_arrays

    rng = np.random.default_rng(0)
    lengths = rng.integers(2, 25, (STEPS - 1) * BATCH + LAST)
    label = rng.integers(0, 3, len(lengths)).astype(np.int32)
    ids = rng.integers(5, 100, lengths.sum()).astype(np.int32)
    ids = np.where(rng.random(len(ids)) < 0.5, ids, np.repeat(label + 5, lengths))  # something to learn
    chunk = {"ids": ids, "lengths": lengths, "label": label}
    write_arrays(folder, "examples", lambda _: iter([chunk]), {"label": "example"})


def packed(steps, lengths, row_length=32):
    """Ragged steps with the examples of each part put into rows, all of one shape."""
    from dataclasses import replace

    from keras_ft.data.packing import first_fit
    from keras_ft.data.steps import RowShape

    def in_rows(part):
        order = part.examples[np.argsort(-lengths[part.examples], kind="stable")]
        rows, starts = first_fit(lengths[order][None], row_length)
        return replace(part, examples=order, slots=(rows * row_length + starts)[0].astype(np.int64))

    parts = [[in_rows(part) for part in step.parts] for step in steps]
    num_rows = max(part.slots.max() // row_length + 1 for of_step in parts for part in of_step)
    num_sequences = max(len(part.examples) for of_step in parts for part in of_step)
    shape = RowShape(int(num_rows), row_length, num_sequences)
    return [replace(step, parts=tuple(of_step), shape=shape) for step, of_step in zip(steps, parts, strict=True)]


def steps_of(lengths, parts, layout):
    """The same examples for each step whatever the layout and the number of parts."""
    from keras_ft.data.plan import plan
    from keras_ft.data.steps import ragged_steps

    steps = ragged_steps(plan(lengths, seed=1, epoch=0, batch_size=BATCH), lengths, parts)
    return steps if layout == "ragged" else packed(steps, lengths)


def engine_of(folder, strategy, layout="ragged", **settings):
    """The real engine over the tiny BERT in `folder`, made as `train` makes it."""
    import keras

    from keras_ft.presets.load import load_pretrained
    from keras_ft.recipe import TrainSection
    from keras_ft.tasks.classification import Classification
    from keras_ft.tasks.model import build_model
    from keras_ft.training.tf_engine import TFEngine

    keras.utils.set_random_seed(0)
    task = Classification(["a", "b", "c"], "mean", 64)
    with strategy.scope():
        model = build_model(task, load_pretrained(str(folder / "bert")), 0)
    settings = {"learning_rate": 1e-3, "dropout": 0.0, "warmup": 0, **settings}
    engine = TFEngine(model, task, TrainSection(**settings), strategy, layout)
    engine.prepare(STEPS)
    return engine


def trained(folder, strategy, **way):
    """Losses, and every weight before and after."""
    from keras_ft.data.arrays import TokenArrays

    arrays = TokenArrays.open(folder / "examples", "examples")
    engine = engine_of(folder, strategy, **way)
    before = {k: v for k, v in engine.state().items() if k.startswith("model/")}
    steps = steps_of(arrays.lengths, engine.num_replicas * engine.settings.accumulate, engine.layout)
    logs = [engine.train_step(b, n) for n, b in enumerate(engine.batches(arrays, steps, 0))]
    assert len(logs) == STEPS
    after = {f"after/{k}": v for k, v in engine.state().items() if k.startswith("model/")}
    losses = np.array([log["loss"] for log in logs])
    norms = np.array([log["gradient_norm"] for log in logs])
    return {"losses": losses, "norms": norms, **{f"before/{k}": v for k, v in before.items()}, **after}


def resumed(folder, strategy):
    """As `trained`, but another engine takes over in the middle."""
    from keras_ft.data.arrays import TokenArrays

    arrays = TokenArrays.open(folder / "examples", "examples")
    first, second = engine_of(folder, strategy), engine_of(folder, strategy)
    steps = steps_of(arrays.lengths, first.num_replicas, "ragged")
    losses = [first.train_step(b, n)["loss"] for n, b in enumerate(first.batches(arrays, steps[:7], 0))]
    second.load_state(first.state())
    losses += [second.train_step(b, n)["loss"] for n, b in enumerate(second.batches(arrays, steps, 7), start=7)]
    after = {f"after/{k}": v for k, v in second.state().items() if k.startswith("model/")}
    return {"losses": np.array(losses), **after}


def masks(folder, strategy):
    """The key that each forward pass of two steps of two micro-batches gets, on every replica."""
    import tensorflow as tf

    from keras_ft.data.arrays import TokenArrays

    arrays = TokenArrays.open(folder / "examples", "examples")
    engine = engine_of(folder, strategy, dropout=0.1, accumulate=2)
    keys, forward = [], engine.task.forward

    def listening(view, batch, rate, key):
        note = tf.numpy_function(lambda data: keys.append(data) or np.int32(0), [key.data], tf.int32)
        with tf.control_dependencies([note]):
            return forward(view, batch, rate, key)

    engine.task.forward = listening
    steps = steps_of(arrays.lengths, 2 * engine.num_replicas, "ragged")[:2]
    for n, batch in enumerate(engine.batches(arrays, steps, 0)):
        engine.train_step(batch, n)
    return {"keys": np.array(keys)}


OTHERS = {"resumed": resumed, "masks": masks}


def main(folder, strategy_name, names):
    import tensorflow as tf

    from keras_ft.recipe import RuntimeSection
    from keras_ft.training.strategy import build_strategy

    if strategy_name == "mirrored":
        cpu = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    strategy = build_strategy(RuntimeSection(strategy=strategy_name))
    worker = os.environ.get("WORKER", "")
    for name in names:
        found = OTHERS[name](folder, strategy) if name in OTHERS else trained(folder, strategy, **WAYS[name])
        np.savez(folder / f"{strategy_name}{worker}.{name}.npz", **found)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3:])
