"""One run of `quality.py`: a side learns from a set, answers its test, and is scored."""

import json
import os
import platform
import shutil
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import quality_keras
from quality_data import SETS, Row, rows_of, settings_of, write_rows
from quality_metrics import score
from quality_thresholds import null_threshold
from report import PACKAGES, RESULTS

SIDES = ("keras_ft", "transformers")
SCRATCH = RESULTS / "cache"  # not kept in the repository


def run(name: str, side: str, seed: int, torch: str | None) -> dict[str, Any]:
    """Settings, metrics in points, seconds and versions of a run. The process ends if it fails.

    Args:
        name: of the set.
        side: `keras_ft` or `transformers`.
        seed: of new weights, drop-out and order.
        torch: a Python that has torch and transformers, for the latter.
    """
    folder = SCRATCH / f"quality_{side}" / f"{name}-{seed}"
    folder.mkdir(parents=True, exist_ok=True)
    load = round(os.getloadavg()[0], 2)
    if side == "keras_ft":
        found = _run_keras_ft(name, seed, folder)
    else:
        assert torch is not None
        found = _run_transformers(name, seed, folder, torch)
    return {"set": name, "side": side, "seed": seed, "settings": settings_of(name, seed), **found, "load": load}


def _run_keras_ft(name: str, seed: int, folder: Path) -> dict[str, Any]:
    splits = {split: rows_of(name, split) for split in ("train", "validation", "test")}
    files = {split: write_rows(rows, folder / f"{split}.jsonl") for split, rows in splits.items()}
    metrics = quality_keras.train(name, seed, files, folder)
    started = time.perf_counter()
    answers = quality_keras.answers(name, splits["test"], folder)
    seconds = {"train": metrics["train"]["seconds"], "test": time.perf_counter() - started}
    (folder / "answers.json").write_text(json.dumps(answers, ensure_ascii=False) + "\n", encoding="utf-8")
    versions = {"python": platform.python_version(), **{package: version(package) for package in PACKAGES}}
    scores = score(name, splits["test"], answers)
    shutil.rmtree(folder / "run")  # a hundred megabytes
    return {"metrics": scores, "by the run": metrics["test"], "seconds": seconds, "versions": versions}


def _run_transformers(name: str, seed: int, folder: Path, torch: str) -> dict[str, Any]:
    from keras_ft.presets.wheels import fetch

    out = folder / "said.json"
    script = Path(__file__).with_name("quality_torch.py")
    command = [torch, str(script), name, str(seed), str(fetch("minilm_l6_en_uncased")), str(out)]
    # Threads that wait for one another in a loop would keep the cores from each other on a busy machine.
    done = subprocess.run(command, env={**os.environ, "OMP_WAIT_POLICY": "PASSIVE"})
    if done.returncode:
        sys.exit(f"{name} with transformers, seed {seed}, failed; its message is above")
    found = json.loads(out.read_text(encoding="utf-8"))
    answers, chosen = answers_of(name, found["said"], found["labels"])
    scores = score(name, rows_of(name, "test"), answers)
    return {"metrics": scores, **chosen, "seconds": found["seconds"], "versions": found["versions"]}


def answers_of(name: str, said: dict[str, list], labels: list[str]) -> tuple[list[Any], dict[str, Any]]:
    """Answers to the test rows, made of what transformers' side said, and the thresholds chosen on validation.

    Args:
        name: of the set.
        said: of `test`, and of `validation` where something is chosen on it.
        labels: in the order of what was said.
    """
    if SETS[name].task == "multilabel":
        from keras_ft.tasks.thresholds import choose_thresholds

        gold = [[label in row["labels"] for label in labels] for row in rows_of(name, "validation")]
        thresholds = choose_thresholds(np.array(said["validation"], np.float32), np.array(gold)).by_label
        given = np.array(said["test"], np.float32) >= thresholds  # (rows, labels)
        answers = [[label for label, is_given in zip(labels, row, strict=True) if is_given] for row in given]
        return answers, {"thresholds": dict(zip(labels, thresholds.tolist(), strict=True))}
    if SETS[name].task == "span_qa":
        golds = [_texts(row) for row in rows_of(name, "validation")]
        threshold = null_threshold(*zip(*said["validation"], strict=True), golds)
        return [text if margin <= threshold else "" for text, margin in said["test"]], {"null_threshold": threshold}
    return said["test"], {}


def _texts(row: Row) -> list[str]:
    return [answer["text"] for answer in row["answers"]]
