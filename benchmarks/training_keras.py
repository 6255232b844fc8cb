"""keras_ft, or keras-hub, on its turn to train an epoch; `training.py` runs it as a process of its own.

    python benchmarks/training_keras.py SIDE PRECISION ROWS.jsonl

SIDE is keras_ft, keras_hub or keras_hub_xla, PRECISION float32 or bfloat16.
"""

import sys
import tempfile
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf
from keras_hub_rival import text_classifier
from minilm import DROPOUT, MAX_LENGTH, PRESET
from texts import read_file
from turns import TimedEpochs

from keras_ft.presets.load import load_pretrained
from keras_ft.recipe import Recipe
from keras_ft.training.train import train

BATCH_SIZE = 32
LEARNING_RATE = 2e-5
WEIGHT_DECAY = 0.01
CLIP_NORM = 1.0
FOREVER = 1_000_000
NEVER = f"{FOREVER} steps"


class EpochTimer(keras.callbacks.Callback):
    """Has `fit`, and keras_ft's loop, call `TimedEpochs`."""

    def __init__(self, timing: TimedEpochs):
        super().__init__()
        self.timing = timing

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Stop between epochs."""
        self.timing.begin()


def run_keras_ft(file: Path, precision: str, timer: EpochTimer) -> None:
    """`keras-ft train`, logs and all, which has tokenized before; only evaluation and checkpoints never come."""
    recipe = {
        "task": {"name": "classification", "pooling": "pooler"},
        "backbone": PRESET,
        "data": {"train": str(file), "validation": [str(file)], "max_length": MAX_LENGTH},
        "train": {
            "steps": FOREVER,
            "batch_size": BATCH_SIZE,
            "learning_rate": LEARNING_RATE,
            "schedule": "constant",
            "warmup": 0,
            "weight_decay": WEIGHT_DECAY,
            "clip_norm": CLIP_NORM,
            "precision": precision,
            "dropout": DROPOUT,
            "evaluate_every": NEVER,
            "checkpoint": {"every": NEVER},
        },
    }
    with tempfile.TemporaryDirectory() as scratch:
        train(Recipe.model_validate(recipe), Path(scratch) / "run", [timer], tell=lambda line: None)


def run_keras_hub(rows: list[dict], precision: str, timer: EpochTimer, xla: bool) -> None:
    """`fit` of keras-hub's classifier, whose preprocessor tokenizes in the input pipeline, in every epoch."""
    if precision == "bfloat16":
        keras.config.set_dtype_policy("mixed_bfloat16")
    labels = sorted({str(row["label"]) for row in rows})
    classifier = text_classifier(load_pretrained(PRESET), DROPOUT, num_classes=len(labels))
    optimizer = keras.optimizers.AdamW(LEARNING_RATE, weight_decay=WEIGHT_DECAY, global_clipnorm=CLIP_NORM)
    classifier.compile(optimizer=optimizer, jit_compile=True if xla else "auto")
    columns = ([row["text"] for row in rows], [labels.index(str(row["label"])) for row in rows])
    batches = tf.data.Dataset.from_tensor_slices(columns).shuffle(len(rows)).batch(BATCH_SIZE)
    classifier.fit(batches, epochs=FOREVER, verbose=0, callbacks=[timer])


def main(side: str, precision: str, path: str) -> None:
    """Train until the benchmark has seen enough."""
    file = Path(path)
    rows = read_file(file)
    timer = EpochTimer(TimedEpochs(len(rows)))
    if side == "keras_ft":
        run_keras_ft(file, precision, timer)
    else:
        run_keras_hub(rows, precision, timer, xla=side == "keras_hub_xla")


if __name__ == "__main__":
    main(*sys.argv[1:])
