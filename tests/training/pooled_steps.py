"""The same steps of pair, multilabel and regression on any engine: equal weights, equal batches, no drop-out."""

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
from keras_ft.tasks.multilabel import Multilabel
from keras_ft.tasks.pair import Pair
from keras_ft.tasks.pooled import PooledTask
from keras_ft.tasks.regression import Regression
from tests.training.equal_steps import learn, with_given_weights  # noqa: F401

STEPS, BATCH = 5, 16
TASKS: dict[str, PooledTask] = {
    "pair": Pair(["no", "yes"], "first", 40),
    "multilabel": Multilabel(["a", "b", "c"], "mean", 40, class_weight=[1.0, 3.0, 0.5], focal_gamma=1.0),
    "regression": Regression("mean", 40, mean=2.5, std=1.5),
}
UNDER_JAX = ("multilabel", "regression")  # the loss of pair is that of classification


def make_arrays(task: PooledTask, folder: Path) -> TokenArrays:
    """Examples of 3 to 40 tokens, the last third of segment 1, whose answer a model can learn."""
    rng = np.random.default_rng(1)
    lengths = rng.integers(3, 41, STEPS * BATCH)
    ids = rng.integers(0, 100, lengths.sum())
    first = ids[np.cumsum(lengths) - lengths]
    segments = np.concatenate([np.arange(n) >= 2 * n // 3 for n in lengths])
    answers = {
        "pair": {"label": (first % 2).astype(np.int32)},
        "multilabel": {"labels": (first[:, None] // 2 ** np.arange(3) % 2).astype(np.uint8)},
        "regression": {"label": (first / 20).astype(np.float32)},
    }
    chunk = {"ids": ids, "lengths": lengths, "segments": segments, **answers[task.name]}
    return write_arrays(folder, "f", lambda _: [chunk], task.axes)


def make_model(task: PooledTask) -> TaskModel:
    """A BERT whose weights do not depend on the backend."""
    backbone = keras_hub.models.BertBackbone(100, 1, 2, 16, 32, max_sequence_length=64, dropout=0.0)
    model = TaskModel(backbone, Arithmetic("gelu"), task.num_outputs)
    backbone.pooled_dense.trainable = False
    return with_given_weights(model)


def steps_in_rows(arrays: TokenArrays, parts: int = 1) -> list[Step]:
    return training_plans("rows", arrays.lengths, 0, epochs=1, parts=parts, batch_size=BATCH, most_shapes=1).steps(0)


def ragged(arrays: TokenArrays) -> list[Step]:
    return ragged_steps([step.parts[0].examples for step in steps_in_rows(arrays)], arrays.lengths)


def settings(**changes) -> TrainSection:
    return TrainSection(steps=STEPS, batch_size=BATCH, dropout=0.0, learning_rate=3e-3, warmup=0, **changes)


def tf_engine(task: PooledTask, layout: str = "ragged", **changes):
    from keras_ft.training.tf_engine import TFEngine

    engine = TFEngine(make_model(task), task, settings(**changes), layout=layout)
    engine.prepare(STEPS)
    return engine


def check_equal(found: dict, expected: dict) -> None:
    for name, array in found.items():
        if "seed_generator" not in name:
            np.testing.assert_allclose(array, expected[name], atol=1e-3, err_msg=name)
