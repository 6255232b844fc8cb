"""The same steps of a language model on any engine: equal weights, equal batches, no drop-out."""

from pathlib import Path

import numpy as np

from keras_ft.data.array_writer import write_arrays
from keras_ft.data.arrays import TokenArrays
from keras_ft.data.plans import training_plans
from keras_ft.data.steps import Step, ragged_steps
from keras_ft.recipe import TrainSection
from keras_ft.tasks.text2text import Text2Text
from tests.tiny_language import tiny_gpt2
from tests.training.equal_steps import learn  # noqa: F401

STEPS, BATCH = 6, 16
TASK = Text2Text(max_length=40, label_smoothing=0.1)


def make_arrays(folder: Path) -> TokenArrays:
    """Sequences of 3 to 40 tokens, whose last third or so is to be predicted."""
    rng = np.random.default_rng(1)
    lengths = rng.integers(3, 41, STEPS * BATCH)
    ids = np.concatenate([np.arange(n) * 7 % 100 for n in lengths])
    segments = np.concatenate([np.arange(n) >= 2 * n // 3 for n in lengths])
    return write_arrays(folder, "f", lambda _: [{"ids": ids, "lengths": lengths, "segments": segments}])


def steps_in_rows(arrays: TokenArrays, parts: int = 1) -> list[Step]:
    return training_plans("rows", arrays.lengths, 0, epochs=1, parts=parts, batch_size=BATCH, most_shapes=1).steps(0)


def ragged(arrays: TokenArrays, parts: int = 1) -> list[Step]:
    return ragged_steps([step.parts[0].examples for step in steps_in_rows(arrays)], arrays.lengths, parts)


def settings(**changes) -> TrainSection:
    return TrainSection(steps=STEPS, batch_size=BATCH, dropout=0.0, learning_rate=1e-3, warmup=0, **changes)


def tf_engine(layout: str = "ragged", **changes):
    from keras_ft.training.tf_engine import TFEngine

    engine = TFEngine(tiny_gpt2(), TASK, settings(**changes), layout=layout)
    engine.prepare(STEPS)
    return engine
