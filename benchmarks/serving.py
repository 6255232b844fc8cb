"""Texts answered a second: exports of keras_ft through a Session, beside onnxruntime, transformers and keras-hub.

    python benchmarks/serving.py --torch PYTHON_WITH_TORCH --ort PYTHON_WITH_ONNXRUNTIME

All have the same weights: MiniLM-L6, trained on SST-2 for an epoch (or `--run RUN`, whose pooling must be `pooler`).
They answer the same texts of SST-2 and AG News in the order in which these come, strings in, labels and scores out,
tokenization included, each in a process of its own. PYTHON_WITH_TORCH needs torch, transformers, onnx and onnxscript;
PYTHON_WITH_ONNXRUNTIME onnxruntime, onnx and tokenizers. Takes about 15 minutes on two cores.
"""

import os
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import texts
import typer
from contender import Contender
from report import Bar, machine, publish
from rounds import alternate, fastest, times_faster

HERE = Path(__file__).parent
REQUESTS = {1: 40, 32: 5}  # batch size: requests in a round
OURS = ("keras_ft float32", "keras_ft bfloat16")
BEST = OURS[1]
KERAS_HUB = ("keras-hub", "keras-hub, XLA")
LEAST = {("onnxruntime float32",): 2.5, ("onnxruntime int8",): 1.3, KERAS_HUB: 5.0}  # batch 32
MOST_LATENCY = 1.4  # × onnxruntime float32, batch 1
MOST_POINTS = 0.2
NOT_THE_SAME_MODEL = 3.0  # points of accuracy

Speeds = dict[str, list[float]]


def main(
    torch: Annotated[str, typer.Option(help="a Python that has torch, transformers, onnx and onnxscript")],
    ort: Annotated[str, typer.Option(help="a Python that has onnxruntime, onnx and tokenizers")],
    run: Annotated[Path | None, typer.Option(help="a finished run on SST-2 with `pooling: pooler`")] = None,
    rounds: int = 9,
) -> None:
    """Measure, print, and write results/serving.json."""
    before = machine()
    os.environ["KERAS_BACKEND"] = "tensorflow"
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    rows, bars = [], []
    with tempfile.TemporaryDirectory() as scratch:
        commands = prepare(run or train(Path(scratch)), Path(scratch), torch, ort)
        for name in texts.NAMES:
            with ExitStack() as processes:
                file = texts.write_file(texts.read(name, "test"), Path(scratch) / f"{name}.jsonl")
                contenders = {n: processes.enter_context(Contender(*command, file)) for n, command in commands.items()}
                if name == "sst2":
                    accuracies = measure_accuracies(contenders, texts.read_file(file))
                    bars.append(_accuracy_bar(accuracies))
                for batch_size in REQUESTS:
                    speeds, cpu = measure(contenders, batch_size, rounds)
                    for n, values in speeds.items():
                        rows.append(_row(texts.NAMES[name], batch_size, n, values, cpu[n], accuracies[n]))
                    bars += _bars(texts.NAMES[name], batch_size, speeds)
    publish("serving", "Serving; accuracy is that on SST-2's test set, %", rows, bars, before)


def train(scratch: Path) -> Path:
    """A run of one epoch."""
    command = [
        sys.executable,
        "-m",
        "keras_ft",
        "train",
        str(HERE / "sst2.yaml"),
        "--out",
        str(scratch / "trained"),
    ]
    subprocess.run([*command, "--set", "train.epochs=1", "--set", "task.pooling=pooler"], check=True)
    return scratch / "trained"


def prepare(run: Path, scratch: Path, torch: str, ort: str) -> dict[str, tuple]:
    """Write every format of the model; returns the command of each contender, but for the texts."""
    from keras_hub_rival import export_classifier

    from keras_ft.export.convert import convert
    from keras_ft.export.export import export
    from keras_ft.tasks.model import load_model

    commands: dict[str, tuple] = {}
    for name in OURS:
        version, _ = export(run, scratch / "exports" / "sst2", dtype=name.split()[-1])
        commands[name] = (sys.executable, "serving_session.py", version)
    folder = convert(run, scratch / "hugging-face", "hugging-face").folder
    model, int8 = scratch / "float32.onnx", scratch / "int8.onnx"
    _run(torch, "onnx_export.py", folder, model)
    _run(ort, "onnx_quantize.py", model, int8)
    commands["onnxruntime float32"] = (ort, "serving_ort.py", model, folder)
    commands["onnxruntime int8"] = (ort, "serving_ort.py", int8, folder)
    for precision in ("float32", "bfloat16"):
        commands[f"transformers {precision}"] = (torch, "serving_torch.py", precision, folder)
    trained = load_model(run / "model")
    for name in KERAS_HUB:
        xla = name.endswith("XLA")
        path = export_classifier(trained, trained.task.labels.names, scratch / f"keras-hub-{xla}", xla)
        commands[name] = (sys.executable, "serving_session.py", path)
    return commands


def measure_accuracies(contenders: dict[str, Contender], rows: list[dict]) -> dict[str, float]:
    """Accuracy in % by contender; the process ends if it shows that they are not one model."""
    labels = [str(row["label"]) for row in rows]
    accuracies = {}
    for name, contender in contenders.items():
        answers = contender.ask(all=True)["labels"]
        accuracies[name] = 100 * sum(a == b for a, b in zip(answers, labels, strict=True)) / len(labels)
        if abs(accuracies[name] - accuracies[OURS[0]]) > NOT_THE_SAME_MODEL:
            sys.exit(
                f"{name} has an accuracy of {accuracies[name]:.1f} %, not {accuracies[OURS[0]]:.1f}: another model"
            )
    return accuracies


def measure(contenders: dict[str, Contender], batch_size: int, rounds: int) -> tuple[Speeds, Speeds]:
    """Examples a second of every contender in every round, and examples a second of CPU time."""
    request = {"batch_size": batch_size, "requests": REQUESTS[batch_size]}
    turns = {n: lambda number, it=c: it.measure(number=number, **request) for n, c in contenders.items()}
    alternate(turns, rounds=1)  # warm-up
    return alternate(turns, rounds), {name: it.cpu_speeds[-rounds:] for name, it in contenders.items()}


def _run(python: str, script: str, *arguments: object) -> None:
    done = subprocess.run(
        [python, str(HERE / script), *map(str, arguments)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(done.stderr[-2000:])


def _row(
    data: str, batch_size: int, name: str, speeds: list[float], cpu: list[float], accuracy: float
) -> dict[str, Any]:
    return {
        "data": data,
        "batch": batch_size,
        "model": name,
        "examples/s": median(speeds),
        "ms/request": 1000 * batch_size / median(speeds),
        "examples/CPU-s": median(cpu),
        "accuracy": accuracy,
        "rounds": [round(speed, 2) for speed in speeds],
    }


def _bars(data: str, batch_size: int, speeds: Speeds) -> list[Bar]:
    if batch_size == 1:
        latency = times_faster(speeds["onnxruntime float32"], speeds[BEST])
        return [Bar(f"{data}, batch 1: latency of {BEST} ÷ onnxruntime float32", MOST_LATENCY, latency, at_most=True)]
    bars = []
    for rivals, least in LEAST.items():
        rival = fastest({name: speeds[name] for name in rivals})
        bars.append(Bar(f"{data}, batch 32: {BEST} ÷ {rival}", least, times_faster(speeds[BEST], speeds[rival])))
    return bars


def _accuracy_bar(accuracies: dict[str, float]) -> Bar:
    points = abs(accuracies[BEST] - accuracies[OURS[0]])
    return Bar("SST-2: points of accuracy that bfloat16 moves", MOST_POINTS, points, at_most=True)


if __name__ == "__main__":
    typer.run(main)
