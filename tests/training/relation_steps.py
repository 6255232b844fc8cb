"""The same steps of a relation classifier on any engine: equal weights, equal batches, no drop-out."""

from pathlib import Path

import keras_hub
import numpy as np

from keras_ft.data.array_writer import write_arrays
from keras_ft.data.arrays import TokenArrays
from keras_ft.layers.arithmetic import Arithmetic
from keras_ft.layers.task_model import TaskModel
from keras_ft.tasks.relation import Relation
from tests.training.equal_steps import with_given_weights
from tests.training.language_steps import BATCH, STEPS, settings

TASK = Relation(["Other", "a(e1,e2)", "a(e2,e1)"], "markers_mean", 40, negative_label="Other")


def make_arrays(folder: Path) -> TokenArrays:
    """Sequences of 8 to 40 tokens, whose label hangs on the tokens at two places."""
    rng = np.random.default_rng(1)
    lengths = rng.integers(8, 41, STEPS * BATCH)
    starts = np.cumsum(lengths) - lengths
    ids = rng.integers(0, 100, lengths.sum())
    places = np.stack([rng.integers(0, lengths), rng.integers(0, lengths)], 1).astype(np.int32)
    label = ((ids[starts + places[:, 0]] > ids[starts + places[:, 1]]) + (places[:, 0] < 4)).astype(np.int32)
    chunk = {"ids": ids, "lengths": lengths, "label": label, "entity_places": places}
    return write_arrays(folder, "f", lambda _: [chunk], TASK.axes)


def make_model() -> TaskModel:
    """A BERT whose weights do not depend on the backend."""
    backbone = keras_hub.models.BertBackbone(100, 1, 4, 32, 64, max_sequence_length=64, dropout=0.0)
    model = TaskModel(backbone, Arithmetic("gelu"), TASK.num_outputs, head_inputs=TASK.head_inputs(32))
    backbone.pooled_dense.trainable = False
    return with_given_weights(model)


def tf_engine(layout: str = "ragged"):
    from keras_ft.training.tf_engine import TFEngine

    engine = TFEngine(make_model(), TASK, settings(), layout=layout)
    engine.prepare(STEPS)
    return engine
