"""The same training steps on any engine: equal weights, equal global batches, no drop-out."""

from pathlib import Path

import keras_hub
import numpy as np

from keras_ft.data.array_writer import write_arrays
from keras_ft.data.arrays import TokenArrays
from keras_ft.data.plans import training_plans
from keras_ft.data.steps import Step, ragged_steps
from keras_ft.layers.arithmetic import Arithmetic
from keras_ft.layers.task_model import TaskModel
from keras_ft.recipe import TrainSection
from keras_ft.tasks.classification import Classification

STEPS = 20
BATCH = 32
TASK = Classification(["a", "b", "c"], "mean", 40, class_weight=[1.0, 2.0, 0.5])


def make_arrays(folder: Path, count: int = STEPS * BATCH) -> TokenArrays:
    """Examples of 3 to 40 tokens whose label a model can learn."""
    rng = np.random.default_rng(1)
    lengths = rng.integers(3, 41, count)
    ids = rng.integers(0, 200, lengths.sum())
    label = (ids[np.cumsum(lengths) - lengths] % 3).astype(np.int32)
    chunk = {"ids": ids, "lengths": lengths, "label": label}
    return write_arrays(folder, "f", lambda _: [chunk], TASK.axes)


def make_model(layers: int = 2) -> TaskModel:
    """A BERT whose weights do not depend on the backend."""
    backbone = keras_hub.models.BertBackbone(200, layers, 4, 32, 64, max_sequence_length=64, dropout=0.0)
    model = TaskModel(backbone, Arithmetic("gelu"), TASK.num_outputs)
    backbone.pooled_dense.trainable = False
    return with_given_weights(model)


def with_given_weights(model: TaskModel) -> TaskModel:
    """The model with weights that hang on their order alone; layer norms scale by about 1."""
    rng = np.random.default_rng(2)
    for variable in model.weights:
        value = rng.normal(0, 0.1, variable.shape).astype("float32")
        variable.assign(value + (variable.path.endswith("gamma")))
    return model


def settings(**changes) -> TrainSection:
    return TrainSection(
        **{"steps": STEPS, "batch_size": BATCH, "dropout": 0.0, "learning_rate": 1e-3, "warmup": 0, **changes}
    )


def steps_in_rows(arrays: TokenArrays, parts: int = 1) -> list[Step]:
    """Whatever the number of parts, the same examples in each step."""
    return training_plans("rows", arrays.lengths, 0, epochs=1, parts=parts, batch_size=BATCH, most_shapes=1).steps(0)


def ragged(arrays: TokenArrays, parts: int = 1) -> list[Step]:
    """The steps of `steps_in_rows` without padding."""
    plan = [step.parts[0].examples for step in steps_in_rows(arrays)]
    return ragged_steps(plan, arrays.lengths, parts)


def learn(engine, arrays: TokenArrays, steps: list[Step], start: int = 0) -> np.ndarray:
    """The losses, `(steps,)`."""
    found = [
        engine.train_step(batch, start + number)["loss"]
        for number, batch in enumerate(engine.batches(arrays, steps, start))
    ]
    return np.array(found)


def tf_engine(strategy=None, layout: str = "ragged", **changes):
    import tensorflow as tf

    from keras_ft.training.tf_engine import TFEngine

    strategy = strategy or tf.distribute.get_strategy()
    with strategy.scope():
        model = make_model()
    engine = TFEngine(model, TASK, settings(**changes), strategy, layout)
    engine.prepare(STEPS)
    return engine


def jax_engine(strategy, layers: int = 2, **changes):
    from keras_ft.training.jax_engine import JaxEngine
    from keras_ft.training.mesh import make_mesh

    engine = JaxEngine(make_model(layers), TASK, settings(**changes), make_mesh(strategy))
    engine.prepare(STEPS)
    return engine


def check_equal(losses: np.ndarray, state: dict, expected: dict, start: dict) -> None:
    """Losses to 1e-4; the update of each weight to 1 % in norm, but for key biases, whose true gradient is 0."""
    np.testing.assert_allclose(losses, expected["losses"], atol=1e-4)
    for name, before in start.items():
        if not name.startswith("model/") or name.endswith("key/bias") or "seed_generator" in name:
            continue
        wanted, got = expected[name] - before, state[name] - before
        assert np.linalg.norm(got - wanted) <= 1e-2 * np.linalg.norm(wanted), name
