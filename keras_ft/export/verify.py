"""An export counts only when a fresh process, on TF Serving's road, gives the answers that the Python model gave."""

import json
import subprocess
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from keras_ft.errors import RequestError, WorkError
from keras_ft.export.tipped import without_tipped
from keras_ft.paths import AnyPath, local_folder

EXPECTED_FILE = "assets.extra/expected_answers.json"
TOLERANCE = {"float32": 1e-5, "bfloat16": 2e-2}
# Of texts that a model wrote, of entities and of answers: rounding may tip one token, and others with it. In float32 it
# never should.
MOST_TIPPED = {"float32": 0.0, "bfloat16": 0.5}


@dataclass
class Verification:
    """What the check found.

    Attributes:
        dtype: compute type of the export.
        examples: how many inputs were compared.
        largest_difference: over all numbers in the answers.
        milliseconds: median time of a request by batch size.
        megabytes: size of the folder.
        warnings: what is right but should be known.
    """

    dtype: str
    examples: int
    largest_difference: float
    milliseconds: dict[str, float]
    megabytes: float
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Decisions:
    """What the strings of an answer and `predicted` hang on, so that rounding which tips one is told from an error.

    Attributes:
        scores: `(examples, ranks)` of the best labels, of two at least even where an answer lists one.
        threshold: the task's `score_threshold`.
        by_label: the task's `label_thresholds`.
    """

    scores: list[list[float]]
    threshold: float | None = None
    by_label: dict[str, float] = field(default_factory=dict)


def record_expected(
    folder: Path,
    dtype: str,
    requests: dict[str, Any],
    answers: dict[str, Any],
    decisions: Decisions | None = None,
) -> None:
    """Keep inputs and the Python model's answers beside the model, for `verify` now and later.

    Args:
        folder: the SavedModel's.
        dtype: compute type of both.
        requests: signature → input name → strings.
        answers: signature → output name → nested lists.
        decisions: of a task that ranks labels.
    """
    record = {"dtype": dtype, "requests": requests, "answers": answers}
    if decisions:
        record["decisions"] = asdict(decisions)
    (folder / EXPECTED_FILE).write_text(json.dumps(record, ensure_ascii=False) + "\n", encoding="utf-8")


def verify(version: AnyPath) -> Verification:
    """Load an export through a Session in a fresh process and hold its answers against the recorded ones.

    Raises:
        RequestError: the folder is no export of ours.
        WorkError: it does not load, holds an op that TF Serving lacks, or answers differently.
    """
    folder = local_folder(version)
    expected = _read_expected(folder)
    report = _run_session(folder, expected["requests"])
    unserved = sorted(set(report["ops"]) - served_ops())
    if unserved:
        raise WorkError(f"{folder} holds ops that TF Serving 2.20 lacks: {', '.join(unserved)}")
    dtype = expected["dtype"]
    largest = 0.0
    for name, answers in expected["answers"].items():
        decisions = Decisions(**expected.get("decisions", {"scores": answers.get("scores", [[]])}))
        found = report["answers"][name]
        where = f"{folder} {name}"
        if "decisions" not in expected:
            answers, found = without_tipped(answers, found, MOST_TIPPED[dtype])
        largest = max(largest, _compare(where, answers, found, decisions, TOLERANCE[dtype]))
    columns = next(iter(expected["requests"].values()))
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    return Verification(
        dtype=dtype,
        examples=len(next(iter(columns.values()))),
        largest_difference=largest,
        milliseconds=report["milliseconds"],
        megabytes=round(size / 1e6, 2),
        warnings=_speed_warnings(dtype, report["matmul_milliseconds"]),
    )


def served_ops() -> set[str]:
    """The ops that TF Serving 2.20 links: TensorFlow's own without Python's, and tensorflow_text's."""
    lines = (Path(__file__).parent / "served_ops.txt").read_text(encoding="utf-8").splitlines()
    return {line for line in lines if line and not line.startswith("#")}


def _read_expected(folder: Path) -> dict[str, Any]:
    if not (folder / "saved_model.pb").is_file():
        raise RequestError(f"{folder} holds no saved_model.pb; give MODELS/NAME/N as 'keras-ft export' wrote it")
    try:
        return json.loads((folder / EXPECTED_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise RequestError(f"{folder / EXPECTED_FILE} is missing or damaged; export the run again") from None


def _run_session(folder: Path, requests: dict[str, Any]) -> dict[str, Any]:
    script = Path(__file__).with_name("session_check.py")
    command = [sys.executable, "-P", str(script), str(folder.resolve())]
    done = subprocess.run(command, input=json.dumps(requests), capture_output=True, text=True)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise WorkError(f"{folder} does not run through a Session, so TF Serving cannot serve it: {reason}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def _compare(
    where: str, expected: dict[str, Any], found: dict[str, Any], decisions: Decisions, tolerance: float
) -> float:
    """The largest difference of numbers; strings and `predicted` may differ only where rounding decides.

    The tolerance is relative where an output holds floats above 1, as scores in the unit of some data may be.
    """
    if expected.keys() != found.keys():
        raise WorkError(f"{where}: outputs are {sorted(found)}, expected {sorted(expected)}")
    largest = 0.0
    for name, values in expected.items():
        want, got = np.array(values), np.array(found[name])
        if want.shape != got.shape:
            raise WorkError(f"{where}: '{name}' has shape {got.shape}, expected {want.shape}")
        if want.dtype.kind == "U" or name == "predicted":
            continue
        difference = float(np.max(np.abs(want.astype(float) - got.astype(float)), initial=0.0))
        most = tolerance * (max(1.0, float(np.max(np.abs(want), initial=0.0))) if want.dtype.kind == "f" else 1.0)
        if not difference <= most:
            raise WorkError(f"{where}: '{name}' differs by {difference:.2g}, more than {most:g}")
        largest = max(largest, difference)
    for name, values in expected.items():
        want, got = np.array(values), np.array(found[name])
        if want.dtype.kind == "U":
            _compare_decided(where, name, want, got, _tied(decisions, want.shape, tolerance))
        elif name == "predicted":
            at_threshold = _at_thresholds(expected, decisions, tolerance)
            _compare_decided(where, name, want, got, _tied(decisions, want.shape, tolerance) | at_threshold)
    return largest


def _compare_decided(where: str, name: str, want: np.ndarray, got: np.ndarray, tied: np.ndarray) -> None:
    wrong = np.argwhere((want != got) & ~tied)
    if len(wrong):
        place = tuple(wrong[0])
        raise WorkError(
            f"{where}: '{name}' of example {place[0]} is {str(got[place])!r}, expected {str(want[place])!r}"
        )


def _tied(decisions: Decisions, shape: tuple[int, ...], tolerance: float) -> np.ndarray:
    """Where a string is not decided: its score is as good as a neighbour's, or it is the last of several.

    The best label, which may be withheld, is not decided at the threshold either.
    """
    scores = np.array(decisions.scores)  # (examples, ranks)
    if scores.shape[1] < 2:
        return np.zeros(shape, bool)
    close = np.abs(np.diff(scores, axis=1)) <= 2 * tolerance
    if len(shape) == 1:
        at_threshold = decisions.threshold is not None and np.abs(scores[:, 0] - decisions.threshold) <= tolerance
        return close[:, 0] | at_threshold
    ranks = np.zeros(scores.shape, bool)
    ranks[:, :-1] |= close
    ranks[:, 1:] |= close
    ranks[:, -1] = True
    return ranks[:, : shape[1]]


def _at_thresholds(expected: dict[str, Any], decisions: Decisions, tolerance: float) -> np.ndarray:
    """Where a label is neither clearly predicted nor clearly not: its score is its threshold, `(examples, ranks)`."""
    thresholds = [[decisions.by_label[label] for label in labels] for labels in expected["labels"]]
    return np.abs(np.array(expected["scores"]) - np.array(thresholds)) <= tolerance


def _speed_warnings(dtype: str, matmul: dict[str, float]) -> list[str]:
    if dtype == "bfloat16" and matmul["bfloat16"] > matmul["float32"]:
        slower = matmul["bfloat16"] / matmul["float32"]
        return [f"this machine multiplies bfloat16 matrices {slower:.1f} times slower than float32; serve float32 here"]
    return []
