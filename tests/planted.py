"""Finished run folders with predictions made up on the spot: what reports and comparisons read, without a model."""

import json
from pathlib import Path

import numpy as np

from keras_ft.evaluation.mistakes import write_mistakes
from keras_ft.evaluation.predictions import Predictions
from keras_ft.evaluation.report.run_report import rebuild_report
from keras_ft.recipe import Recipe
from keras_ft.run_folder import RunFolder

COST = {
    "examples": 1000,
    "seconds": 12.5,
    "examples_per_second": 80.0,
    "tokens_per_second": 1600.0,
    "padding_fraction": 0.0,
    "trainable_parameters": 22_713_216,
    "total_parameters": 22_713_216,
    "peak_memory_bytes": 2**30,
}
LOG = "step,loss,learning_rate,gradient_norm,examples_per_second,val_loss,val_accuracy\n"


def predictions(labels, label, predicted, score=None, digest="d") -> Predictions:
    label, predicted = np.asarray(label, np.int32), np.asarray(predicted, np.int32)
    score = np.full(len(label), 0.8) if score is None else np.asarray(score)
    label_score = np.where(label == predicted, score, (1 - score) / 2)
    columns = {
        "row": np.arange(len(label)),
        "label": label,
        "predicted": predicted,
        "score": score.astype(np.float32),
        "label_score": label_score.astype(np.float32),
        "loss": -np.log(np.maximum(label_score, 1e-9)).astype(np.float32),
        "tokens": (5 + np.arange(len(label)) % 40).astype(np.int32),
    }
    task = {"name": "classification", "labels": list(labels), "pooling": "mean", "max_length": 64}
    return Predictions(task, "test.jsonl", digest, columns)


def planted_run(folder: Path, found: Predictions, texts=None, split="test", train=None) -> Path:
    """Write a finished run whose predictions on one split are these; `texts` are those of rows, by number."""
    run = RunFolder(folder)
    data = {"train": "train.jsonl", "max_length": 64, **({"test": "test.jsonl"} if split == "test" else {})}
    settings = {"task": "classification", "backbone": "bert", "data": data, "train": train or {}}
    recipe = Recipe.model_validate(settings)
    folder.mkdir(parents=True, exist_ok=True)
    run.recipe_file.write_text(recipe.to_yaml(), encoding="utf-8")
    found.write(run.predictions / f"{split}.npz")
    mistakes = [{"row": row, "texts": {"text": text}} for row, text in (texts or {}).items()]
    write_mistakes(mistakes, run.predictions / f"{split}_mistakes.json")
    accuracy = float(np.mean(found.columns["label"] == found.columns["predicted"]))
    metrics = {"validation": {"loss": 0.4, "accuracy": 0.75}, split: {"loss": 0.5, "accuracy": accuracy}, "train": COST}
    run.metrics_file.write_text(json.dumps({"task": "classification", "backbone": "bert", **metrics}))
    steps = "".join(f"{step},{5 / step:.4f},{1e-4 / step},1.0,80,,\n" for step in range(10, 201, 10))
    run.log_file.write_text(f"{LOG}{steps}100,,,,,0.7,0.6\n200,,,,,0.5,0.8\n")
    return folder


def report_of(folder: Path) -> str:
    return Path(rebuild_report(folder)).read_text(encoding="utf-8")
