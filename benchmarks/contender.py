"""A contender in a process of its own: precision policies and determinism hold for a whole process."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path


class Contender:
    """Starts a script that trains with `TimedSteps`, and waits until it is warm; used in a `with`, which ends it.

    Args:
        script: run with this Python.
        arguments: of the script.
        examples: how many it trains on in a round.

    Raises:
        RuntimeError: the script died; the message ends with what it wrote last.
    """

    def __init__(self, script: Path, arguments: list[str], examples: int):
        self.examples = examples
        self.errors = tempfile.TemporaryFile(mode="w+", encoding="utf-8")  # noqa: SIM115, closed in __exit__
        self.process = subprocess.Popen(
            [sys.executable, str(script), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
            env={**os.environ, "KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"},
        )
        self._read()

    def measure(self, number: int) -> float:
        """Let it train for a round, whatever the round's number; returns examples a second."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return self.examples / self._read()["seconds"]

    def __enter__(self) -> "Contender":
        return self

    def __exit__(self, *reason: object) -> None:
        """End the process: the end of its input tells it to."""
        self.process.stdin.close()
        self.process.wait()
        self.errors.close()

    def _read(self) -> dict:
        line = self.process.stdout.readline()
        if line:
            return json.loads(line)
        self.process.wait()
        self.errors.seek(0)
        last = self.errors.read().strip().splitlines()[-1:]
        raise RuntimeError(f"{' '.join(self.process.args[1:])} ended with {self.process.returncode}: {''.join(last)}")
