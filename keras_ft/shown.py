"""Results as lines for people on a terminal."""

import sys
from typing import Any


def to_stderr(line: str) -> None:
    """What a command tells while it works; standard output is for its result."""
    print(line, file=sys.stderr, flush=True)


def metrics_lines(metrics: dict[str, Any], out: str) -> list[str]:
    """The metrics and the cost of a run, and where it is."""
    lines = []
    for split in ("validation", "test"):
        if metrics.get(split):
            lines.append(f"{split:<11}" + "  ".join(f"{name} {value:.4f}" for name, value in metrics[split].items()))
    cost = metrics["train"]
    lines.append(
        f"trained on {cost['examples']:,} examples in {cost['seconds']:.0f} s ({cost['examples_per_second']:.0f}/s)"
    )
    return [*lines, f"run folder {out}"]


def verification_lines(folder: str, found: Any) -> list[str]:
    """What the check of an export found, and how fast it is."""
    times = ", ".join(f"batch {size}: {ms:.1f} ms" for size, ms in found.milliseconds.items())
    return [
        f"{folder} answers as the model does: {found.examples} texts through a Session,"
        f" largest difference {found.largest_difference:.1g}",
        f"{found.dtype}, {found.megabytes} MB, {times}",
        *(f"warning: {warning}" for warning in found.warnings),
    ]


def preset_lines(names: dict[str, str], cached: list[str]) -> list[str]:
    """The names of presets, and which are in the local cache."""
    here = [f"in the local cache: {name}" for name in cached] or ["in the local cache: nothing yet"]
    return [*(f"{name:<32} {what}" for name, what in names.items()), *here]


def answer_lines(answers: list[dict[str, Any]]) -> list[str]:
    """The best answer to each text."""
    return [f"{answer['score']:.3f}  {answer['label']:<32}  {answer['text']}" for answer in answers]
