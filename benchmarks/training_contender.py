"""One side of the training benchmark, run by `training.py` as a process of its own.

    python benchmarks/training_contender.py SIDE PRECISION STEPS

SIDE is keras_ft, keras_hub or keras_hub_xla, PRECISION float32 or bfloat16, STEPS those of a round.
"""

import json
import sys
import tempfile
from pathlib import Path

import keras
import sst2
import tensorflow as tf
from keras_hub_rival import text_classifier
from timed_steps import TimedSteps

from keras_ft.presets.load import load_pretrained
from keras_ft.recipe import Recipe
from keras_ft.training.train import train

PRESET = "minilm_l6_en_uncased"
BATCH_SIZE = 32
DROPOUT = 0.1
LEARNING_RATE = 2e-5
WEIGHT_DECAY = 0.01
WARMUP_STEPS = 10
NEVER = "1000000 steps"


def run_keras_ft(rows: list[dict], precision: str, timing: TimedSteps) -> None:
    """`keras-ft train`, logs and all; only evaluation and checkpoints never come."""
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "rows.jsonl"
        file.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
        recipe = {
            "task": "classification",
            "backbone": PRESET,
            "data": {"train": str(file), "validation": [str(file)], "max_length": 128},
            "train": {
                "steps": 1_000_000,
                "batch_size": BATCH_SIZE,
                "learning_rate": LEARNING_RATE,
                "schedule": "constant",
                "warmup": 0,
                "weight_decay": WEIGHT_DECAY,
                "precision": precision,
                "dropout": DROPOUT,
                "evaluate_every": NEVER,
                "checkpoint": {"every": NEVER},
            },
        }
        train(Recipe.model_validate(recipe), Path(scratch) / "run", [timing], tell=lambda line: None)


def run_keras_hub(rows: list[dict], precision: str, timing: TimedSteps, xla: bool) -> None:
    """`fit` of keras-hub's classifier, which preprocesses in the data pipeline; no gradient clipping to pay for."""
    if precision == "bfloat16":
        keras.config.set_dtype_policy("mixed_bfloat16")
    classifier = text_classifier(load_pretrained(PRESET), DROPOUT)
    optimizer = keras.optimizers.AdamW(LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    classifier.compile(optimizer=optimizer, jit_compile=True if xla else "auto")
    columns = ([row["text"] for row in rows], [row["label"] for row in rows])
    batches = tf.data.Dataset.from_tensor_slices(columns).shuffle(len(rows)).batch(BATCH_SIZE).repeat()
    classifier.fit(batches, steps_per_epoch=1_000_000, verbose=0, callbacks=[timing])


def main(side: str, precision: str, steps: str) -> None:
    """Train until the benchmark has seen enough."""
    rows = sst2.read("train")
    rows = rows[: len(rows) // BATCH_SIZE * BATCH_SIZE]  # every batch of either side is full
    timing = TimedSteps(int(steps), WARMUP_STEPS)
    if side == "keras_ft":
        run_keras_ft(rows, precision, timing)
    else:
        run_keras_hub(rows, precision, timing, xla=side == "keras_hub_xla")


if __name__ == "__main__":
    main(*sys.argv[1:])
