"""The child's side of `generation.py`. It imports nothing but the standard library."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from texts import read_file
from turns import Stopwatch, Turns, batches_of_round

Prompt = dict[str, Any]  # `text`, and its `ids`
Write = Callable[[list[Prompt], int], list[int]]


def write_in_turn(prompts: Path, write: Write) -> None:
    """Let a model continue prompts in the batches that are asked for; the process ends where it writes less.

    Args:
        prompts: what `write_prompts` wrote.
        write: prompts and how many tokens to write → how many were written behind each.
    """
    turns, rows, reply = Turns(), read_file(prompts), {}
    while True:
        request = turns.wait(reply)
        reply = _timed(rows, write, **request) | {"peak_bytes": peak_bytes()}


def _timed(
    rows: list[Prompt], write: Write, number: int, batch_size: int, requests: int, new_tokens: int
) -> dict[str, Any]:
    batches = batches_of_round(rows, number, batch_size, requests)
    watch = Stopwatch()
    counts = [write(batch, new_tokens) for batch in batches]
    found = watch.read(batch_size * requests * new_tokens)
    if counts != [[new_tokens] * batch_size] * requests:
        sys.exit(f"asked for {new_tokens} tokens, written {counts}")
    return found


def peak_bytes() -> int:
    """The most memory that this process had so far, on Linux; 0 elsewhere."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM")), 0)
