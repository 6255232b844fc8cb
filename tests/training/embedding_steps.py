"""The same training steps of an embedding model on any engine: examples of three texts, equal parts, no drop-out."""

from pathlib import Path

import keras_hub
import numpy as np

from keras_ft.data.array_writer import write_arrays
from keras_ft.data.arrays import TokenArrays
from keras_ft.data.plans import training_plans
from keras_ft.data.steps import Part, Step
from keras_ft.layers.arithmetic import Arithmetic
from keras_ft.layers.task_model import TaskModel
from keras_ft.recipe import TrainSection
from keras_ft.tasks.embedding import Embedding
from tests.training.equal_steps import learn, with_given_weights  # noqa: F401

STEPS, BATCH, PARTS = 4, 12, 2
TASK = Embedding("triplets", "ranking", "retrieval", "mean", 20)


def make_arrays(folder: Path) -> TokenArrays:
    """Examples of three of 40 texts of 3 to 20 tokens, so that some come several times."""
    rng = np.random.default_rng(1)
    count = STEPS * BATCH
    texts = [rng.integers(0, 200, length) for length in rng.integers(3, 21, 40)]
    chosen = np.stack([rng.permutation(40)[:3] for _ in range(count)])  # (examples, places)
    chunk = {
        "ids": np.concatenate([texts[i] for i in chosen.ravel()]),
        "lengths": np.array([len(texts[i]) for i in chosen.ravel()]),
        "sequences": np.full(count, 3),
        "window_start": np.zeros(3 * count, np.int32),
        "label": np.full(count, np.nan, np.float32),
        "text_key": np.stack([chosen, chosen], axis=-1).astype(np.int32),
    }
    return write_arrays(folder, "f", lambda _: [chunk], TASK.axes, several_sequences=True)


def make_model() -> TaskModel:
    """A BERT without a head, whose weights do not depend on the backend."""
    backbone = keras_hub.models.BertBackbone(200, 1, 4, 32, 64, max_sequence_length=64, dropout=0.0)
    model = TaskModel(backbone, Arithmetic("gelu"), TASK.num_outputs)
    backbone.pooled_dense.trainable = False
    return with_given_weights(model)


def settings(**changes) -> TrainSection:
    return TrainSection(steps=STEPS, batch_size=BATCH, dropout=0.0, learning_rate=1e-3, warmup=0, **changes)


def steps_in_rows(arrays: TokenArrays) -> list[Step]:
    plans = training_plans("rows", arrays.lengths, 0, epochs=1, parts=PARTS, batch_size=BATCH, most_shapes=1)
    return plans.steps(0)


def ragged(arrays: TokenArrays) -> list[Step]:
    """The steps of `steps_in_rows` without padding, with the same examples in each part."""
    return [
        Step(tuple(Part(part.examples, part.real) for part in step.parts), step.num_tokens)
        for step in steps_in_rows(arrays)
    ]


def tf_engine(layout: str, **changes):
    from keras_ft.training.tf_engine import TFEngine

    engine = TFEngine(make_model(), TASK, settings(accumulate=PARTS, **changes), layout=layout)
    engine.prepare(STEPS)
    return engine
