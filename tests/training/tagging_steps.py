"""The same steps of a tagger on any engine: equal weights, equal batches, no drop-out; examples of several windows."""

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
from keras_ft.tasks.tagging import Tagging
from tests.training.equal_steps import learn, with_given_weights  # noqa: F401

STEPS, BATCH = 3, 8
PLAIN, FIELD = (Tagging(["A", "B"], 16, crf, 4) for crf in (False, True))


def make_arrays(folder: Path) -> TokenArrays:
    """Examples of one to three sequences of 3 to 16 tokens, about half of them words with tags that BIO allows."""
    rng = np.random.default_rng(1)
    counts = rng.integers(1, 4, STEPS * BATCH)
    lengths = rng.integers(3, 17, counts.sum())
    size = int(lengths.sum())
    ids = rng.integers(0, 100, size)
    example = np.repeat(np.repeat(np.arange(len(counts)), counts), lengths)
    is_word = rng.random(size) < 0.5
    tag = np.zeros(size, np.uint8)
    before, of = 0, -1
    for i in np.flatnonzero(is_word):
        before = 0 if example[i] != of else before
        kind = ids[i] % 5
        tag[i] = kind - 1 if kind in (2, 4) and before not in (kind, kind - 1) else kind
        before, of = tag[i], example[i]
    start = np.arange(size, dtype=np.int32)
    chunk = {
        "ids": ids,
        "lengths": lengths,
        "sequences": counts,
        "window_start": np.zeros(len(lengths), np.int32),
        **{"word_start": is_word, "start": start, "end": start + 1, "tag": tag},
        "entities": _entities(example, is_word, tag),
        "words": [""] * len(counts),
    }
    return write_arrays(folder, "f", lambda _: [chunk], PLAIN.axes, True, PLAIN.kept_texts)


def _entities(example: np.ndarray, is_word: np.ndarray, tag: np.ndarray) -> list[str]:
    """In JSON, as `aligned_targets` was given them; a token is a character here."""
    found: list[list] = [[] for _ in range(example[-1] + 1)]
    for i in np.flatnonzero(is_word & (tag > 0)):
        if tag[i] % 2:
            found[example[i]].append([int(i), int(i) + 1, "AB"[(tag[i] - 1) // 2]])
        else:
            found[example[i]][-1][1] = int(i) + 1
    return [str(entities).replace("'", '"') for entities in found]


def make_model(task: Tagging) -> TaskModel:
    """A BERT whose weights do not depend on the backend."""
    backbone = keras_hub.models.BertBackbone(100, 1, 2, 16, 32, max_sequence_length=16, dropout=0.0)
    model = TaskModel(backbone, Arithmetic("gelu"), task.num_outputs, extra=task.extra_weights())
    backbone.pooled_dense.trainable = False
    return with_given_weights(model)


def settings(**changes) -> TrainSection:
    return TrainSection(steps=STEPS, batch_size=BATCH, dropout=0.0, learning_rate=1e-3, warmup=0, **changes)


def steps_in_rows(arrays: TokenArrays, parts: int = 1) -> list[Step]:
    return training_plans("rows", arrays.lengths, 0, epochs=1, parts=parts, batch_size=BATCH, most_shapes=1).steps(0)


def ragged(arrays: TokenArrays, parts: int = 1) -> list[Step]:
    return ragged_steps([step.parts[0].examples for step in steps_in_rows(arrays)], arrays.lengths, parts)


def tf_engine(task: Tagging, layout: str = "ragged", **changes):
    from keras_ft.training.tf_engine import TFEngine

    engine = TFEngine(make_model(task), task, settings(**changes), layout=layout)
    engine.prepare(STEPS)
    return engine
