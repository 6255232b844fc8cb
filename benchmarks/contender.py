"""A contender in a process of its own: precision policies, determinism and whole environments differ between them."""

import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any


class Contender:
    """Starts a script that answers over `turns.py`, and waits until it is ready; used in a `with`, which ends it.

    Args:
        python: runs the script.
        script: of this folder.
        arguments: of the script.

    Raises:
        RuntimeError: the script died; the message ends with what it wrote last.
    """

    def __init__(self, python: str, script: str, *arguments: object):
        self.errors = tempfile.TemporaryFile(mode="w+", encoding="utf-8")  # noqa: SIM115, closed in __exit__
        self.process = subprocess.Popen(
            [python, str(Path(__file__).with_name(script)), *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
            env={**os.environ, "KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"},
        )
        self.cpu_speeds: list[float] = []
        self._read()

    def ask(self, **request: Any) -> dict[str, Any]:
        """Send a request; returns the answer."""
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        return self._read()

    def measure(self, **request: Any) -> float:
        """Let it work for a round; returns examples a second, and keeps examples a second of CPU time."""
        answer = self.ask(**request)
        self.cpu_speeds.append(answer["examples"] / answer["cpu_seconds"])
        return answer["examples"] / answer["seconds"]

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
