"""keras_ft's side of `quality.py`: a recipe for each set, `keras-ft train`, and `keras-ft predict` on the test rows."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from quality_data import BATCH_SIZE, CLIP_NORM, DROPOUT, SETS, WARMUP, WEIGHT_DECAY, Row, write_rows

from keras_ft.evaluation.predictions import Predictions

ROOT = Path(__file__).resolve().parents[1]


def recipe(name: str, seed: int, files: dict[str, Path]) -> dict[str, Any]:
    """Of `keras-ft train`. Like transformers' side it keeps the last weights: nothing is evaluated before the end."""
    it = SETS[name]
    never = "1000000 steps"
    return {
        "task": {"name": it.task, **it.options},
        "backbone": "minilm_l6_en_uncased",
        "data": {
            "train": str(files["train"]),
            "validation": [str(files["validation"])],
            "test": str(files["test"]),
            "max_length": it.max_length,
        },
        "train": {
            "epochs": it.epochs,
            "batch_size": BATCH_SIZE,
            "learning_rate": it.learning_rate,
            "schedule": "linear",
            "warmup": WARMUP,
            "weight_decay": WEIGHT_DECAY,
            "clip_norm": CLIP_NORM,
            "precision": "float32",
            "dropout": DROPOUT,
            "evaluate_every": never,
            "seed": seed,
        },
        "logging": {"tensorboard": False},
    }


def train(name: str, seed: int, files: dict[str, Path], folder: Path) -> dict[str, Any]:
    """Train in `folder/run`, or go on there; returns what metrics.json says. The process ends if the run fails."""
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(recipe(name, seed, files), sort_keys=False), encoding="utf-8")
    return json.loads(_keras_ft("train", str(path), "--out", str(folder / "run"), "--json"))


def answers(name: str, rows: list[Row], folder: Path) -> list[Any]:
    """What the run says of each row, as `quality_metrics.score` reads it."""
    if SETS[name].task == "multilabel":  # `predict` lists the best labels alone
        recorded = Predictions.read(folder / "run" / "predictions" / "test.npz")
        names = np.array(recorded.task["labels"])
        return [names[given].tolist() for given in recorded.columns["predicted"]]
    texts = [{"text": " ".join(row["tokens"])} if "tokens" in row else row for row in rows]
    asked = write_rows(texts, folder / "asked.jsonl")
    said = json.loads(_keras_ft("predict", str(folder / "run"), "--input", str(asked), "--json"))["answers"]
    return [READ[SETS[name].task](answer, row) for answer, row in zip(said, rows, strict=True)]


def _label(answer: dict[str, Any], row: Row) -> str:
    return answer["label"]


def _number(answer: dict[str, Any], row: Row) -> float:
    return answer["score"]


def _tags(answer: dict[str, Any], row: Row) -> list[str]:
    """Entities in characters of the tokens joined by spaces → a tag for each token that one has a part of."""
    ends = np.cumsum([len(token) + 1 for token in row["tokens"]])  # of each token and the space behind it
    tags = ["O"] * len(ends)
    for start, end, label in zip(answer["start"], answer["end"], answer["label"], strict=True):
        if label:  # else the list is longer than its entities
            first, last = np.searchsorted(ends, [start, end - 1], side="right")
            tags[first : last + 1] = [f"B-{label}"] + [f"I-{label}"] * (last - first)
    return tags


def _answer(answer: dict[str, Any], row: Row) -> str:
    return answer["answer"]


READ: dict[str, Callable[[dict[str, Any], Row], Any]] = {
    "classification": _label,
    "pair": _label,
    "relation": _label,
    "regression": _number,
    "tagging": _tags,
    "span_qa": _answer,
}


def _keras_ft(*arguments: str) -> str:
    """What the command prints on stdout; its progress goes to stderr."""
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, "-m", "keras_ft", *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": path})
    if done.returncode:
        sys.exit(f"keras-ft {arguments[0]} failed; its message is above")
    return done.stdout
