"""Texts answered a second: an export of keras_ft through a Session, beside keras-hub's classifier.

    python benchmarks/serving.py

Takes about two minutes on two cores. All contenders have the same weights, MiniLM-L6 under one untrained head, and
answer the same texts of SST-2's test split; that they answer alike is checked first.
"""

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import sst2
import typer
from report import Bar, machine, publish
from rounds import alternate, fastest, times_faster

PRESET = "minilm_l6_en_uncased"
REQUESTS = {1: 40, 32: 5}  # batch size: requests in a round
SPREAD = 100.0  # an untrained head hardly tells texts apart; scaled up, its scores range over 0 to 1
TIMES = "× keras-hub"  # the faster of its two ways
TOLERANCE = 0.05  # keras-hub approximates GELU, bfloat16 rounds

Answer = Callable[[list[str]], np.ndarray]  # texts → the best label's score, (texts,)


def main(rounds: int = 9) -> None:
    """Measure, print, and write results/serving.json."""
    before = machine()
    texts = [row["text"] for row in sst2.read("test")]
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with tempfile.TemporaryDirectory() as scratch:
        contenders = build_contenders(Path(scratch))
    difference = largest_difference(contenders, texts[:256])
    rows = []
    for batch_size, requests in REQUESTS.items():
        measures = {name: _measure(answer, texts, batch_size, requests) for name, answer in contenders.items()}
        alternate(measures, rounds=1)  # warm-up
        speeds = alternate(measures, rounds)
        rival = fastest({name: s for name, s in speeds.items() if name.startswith("keras-hub")})
        rows += [_row(name, batch_size, s, speeds[rival]) for name, s in speeds.items()]
    ours = next(row for row in rows if row["batch"] == 32 and row["model"] == "keras_ft float32")
    bar = Bar("Speed of keras_ft float32 at batch 32, in multiples of keras-hub's best", 3.0, ours[TIMES])
    title = f"Serving SST-2 test texts; scores differ by at most {difference:.3f}"
    publish("serving", title, rows, [bar], before)


def build_contenders(folder: Path) -> dict[str, Answer]:
    """Both exports and both ways of keras-hub, each as a function of a list of texts."""
    import tensorflow as tf
    from keras_hub_rival import serving_function, text_classifier

    from keras_ft.export.export import export
    from keras_ft.presets.load import load_pretrained
    from keras_ft.run_folder import RunFolder
    from keras_ft.tasks.classification import Classification
    from keras_ft.tasks.model import build_model
    from keras_ft.training.train import save_model

    tf.get_logger().setLevel("ERROR")  # a Session is deprecated in Python, and what TF Serving runs
    pretrained = load_pretrained(PRESET)
    task = Classification(labels=["0", "1"], pooling="pooler", max_length=128)
    model = build_model(task, pretrained, seed=0)
    model.head.kernel.assign(SPREAD * model.head.kernel)
    run = RunFolder(folder / "run")
    run.model.mkdir(parents=True)
    save_model(run, task, pretrained, model)
    classifier = text_classifier(pretrained, dropout=0.0, activation="softmax")
    classifier.output_dense.set_weights(model.head.get_weights())
    return {
        "keras_ft float32": _session(export(run.path, folder / "sst2")[0]),
        "keras-hub": _best(serving_function(classifier, xla=False)),
        "keras_ft bfloat16": _session(export(run.path, folder / "sst2", dtype="bfloat16")[0]),
        "keras-hub, XLA": _best(serving_function(classifier, xla=True)),
    }


def largest_difference(contenders: dict[str, Answer], texts: list[str]) -> float:
    """Between any contender's scores and the first one's; the process ends if it shows that they are not one model."""
    scores = {
        name: np.concatenate([answer(texts[i : i + 32]) for i in range(0, len(texts), 32)])
        for name, answer in contenders.items()
    }
    first = next(iter(scores.values()))
    differences = {name: float(np.max(np.abs(values - first))) for name, values in scores.items()}
    worst = max(differences, key=differences.__getitem__)
    if differences[worst] > TOLERANCE:
        sys.exit(f"{worst} answers otherwise than the rest, by {differences[worst]:.3f}: they do not compare")
    return differences[worst]


def _session(version: Path) -> Answer:
    from keras_ft.serving.session_model import SessionModel

    served = SessionModel(version)  # a tf.compat.v1.Session, as TF Serving's

    def answer(texts: list[str]) -> np.ndarray:
        return served.predict("serving_default", {"text": np.array([t.encode() for t in texts], object)})["score"]

    return answer


def _best(probabilities: Answer) -> Answer:
    return lambda texts: probabilities(texts).max(axis=1)


def _measure(answer: Answer, texts: list[str], batch_size: int, requests: int) -> Callable[[int], float]:
    def measure(number: int) -> float:
        places = np.arange(requests * batch_size) + number * requests * batch_size
        batches = [[texts[i % len(texts)] for i in row] for row in places.reshape(requests, batch_size)]
        started = time.perf_counter()
        for batch in batches:
            answer(batch)
        return requests * batch_size / (time.perf_counter() - started)

    return measure


def _row(name: str, batch_size: int, speeds: list[float], rival: list[float]) -> dict[str, Any]:
    return {
        "model": name,
        "batch": batch_size,
        "examples/s": median(speeds),
        "ms/request": 1000 * batch_size / median(speeds),
        TIMES: times_faster(speeds, rival),
        "rounds": [round(speed, 2) for speed in speeds],
    }


if __name__ == "__main__":
    typer.run(main)
