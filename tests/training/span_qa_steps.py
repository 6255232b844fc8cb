"""The same steps of question answering on any engine: equal weights, equal batches of windows, no drop-out."""

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
from keras_ft.tasks.span_qa import SpanQA
from tests.training.equal_steps import learn, with_given_weights  # noqa: F401

STEPS, BATCH = 5, 16
TASK = SpanQA(max_length=24, max_answer_length=4, no_answer_threshold=0.0)


def make_arrays(folder: Path) -> TokenArrays:
    """Examples of one to three windows of 6 to 24 tokens, half of them with an answer, each token a character."""
    rng = np.random.default_rng(1)
    counts = rng.integers(1, 4, STEPS * BATCH)
    lengths = rng.integers(6, 25, counts.sum())
    example = np.repeat(np.arange(len(counts)), counts)
    ids = rng.integers(4, 200, lengths.sum())
    place = np.concatenate([np.arange(n) for n in lengths])
    is_last = place == np.repeat(lengths, lengths) - 1
    start = np.where((place >= 4) & ~is_last, place - 4, -1).astype(np.int32)
    answerable = rng.random(len(counts)) < 0.5
    first = np.where(answerable[example], rng.integers(4, lengths - 1), 0)
    last = np.minimum(first + 1, lengths - 2) * (first > 0)
    marked = np.cumsum(lengths) - lengths
    ids[(marked + first)[first > 0]] = 3  # by which an answer can be known
    chunk = {
        "ids": ids,
        "lengths": lengths,
        "segments": place >= 4,
        "sequences": counts,
        "window_start": np.zeros(len(lengths), np.int32),
        "start": start,
        "end": np.where(start >= 0, start + 1, -1).astype(np.int32),
        "answer_start": first.astype(np.int32),
        "answer_end": last.astype(np.int32),
        "context": ["a bad film is not as great " * 2] * len(counts),
        "answers": ['["bad film"]' if found else "[]" for found in answerable],
    }
    return write_arrays(folder, "f", lambda _: [chunk], TASK.axes, TASK.several_sequences, TASK.kept_texts)


def make_model() -> TaskModel:
    """A BERT whose weights do not depend on the backend."""
    backbone = keras_hub.models.BertBackbone(200, 2, 4, 32, 64, max_sequence_length=32, dropout=0.0)
    model = TaskModel(backbone, Arithmetic("gelu_new"), TASK.num_outputs)  # GELU as keras-hub has it
    backbone.pooled_dense.trainable = False
    return with_given_weights(model)


def settings(**changes) -> TrainSection:
    return TrainSection(steps=STEPS, batch_size=BATCH, dropout=0.0, learning_rate=1e-3, warmup=0, **changes)


def steps_in_rows(arrays: TokenArrays, parts: int = 1) -> list[Step]:
    return training_plans("rows", arrays.lengths, 0, epochs=1, parts=parts, batch_size=BATCH, most_shapes=1).steps(0)


def ragged(arrays: TokenArrays, parts: int = 1) -> list[Step]:
    return ragged_steps([step.parts[0].examples for step in steps_in_rows(arrays)], arrays.lengths, parts)


def tf_engine(layout: str = "ragged", **changes):
    from keras_ft.training.tf_engine import TFEngine

    engine = TFEngine(make_model(), TASK, settings(**changes), layout=layout)
    engine.prepare(STEPS)
    return engine
