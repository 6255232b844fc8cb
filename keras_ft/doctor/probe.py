"""What a process of its own could import, see and time; see `child.py`."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

SECONDS = 180.0


@dataclass
class Probe:
    """What the child process told before it ended, or was ended.

    Attributes:
        imported: modules that can be imported.
        failed: modules that cannot: name → the error, in one line.
        devices: TensorFlow's, such as `CPU` and `GPU`; empty where it could not say.
        cuda: whether this TensorFlow was built for NVIDIA's GPUs.
        milliseconds: type → time of a matrix product; empty where it was not timed.
        death: what killed the process, and at which step; empty where nothing did.
    """

    imported: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    devices: list[str] = field(default_factory=list)
    cuda: bool = False
    milliseconds: dict[str, float] = field(default_factory=dict)
    death: str = ""


def probe(modules: list[str], seconds: float = SECONDS) -> Probe:
    """Import modules and try TensorFlow in a process of its own.

    Args:
        modules: names to import, in this order.
        seconds: how long it may take.
    """
    command = [sys.executable, "-P", str(Path(__file__).with_name("child.py")), *modules]
    environment = {**os.environ, "KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"}
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, env=environment)
    except subprocess.TimeoutExpired as error:
        output = error.stdout or b""
        return read_probe(output.decode() if isinstance(output, bytes) else output, f"took over {seconds:.0f} s")
    return read_probe(done.stdout, _how_it_died(done.returncode))


def read_probe(output: str, death: str) -> Probe:
    """Gather the child's lines.

    Args:
        output: what it printed; lines that are not its own are passed over.
        death: how it died, empty if it ended well.
    """
    found, step = Probe(), "starting Python"
    for line in output.splitlines():
        try:
            told = json.loads(line)
        except ValueError:
            continue
        if not isinstance(told, dict):
            continue
        step = told.get("importing", step)
        if "imported" in told:
            found.imported.append(told["imported"])
        if "failed" in told:
            found.failed[told["failed"]] = told["reason"]
        found.devices = told.get("devices", found.devices)
        found.cuda = told.get("cuda", found.cuda)
        found.milliseconds = told.get("milliseconds", found.milliseconds)
    if death:
        found.death = f"{step}: {death}"
    return found


def _how_it_died(code: int) -> str:
    if code >= 0:
        return f"exit code {code}" if code else ""
    name = signal.Signals(-code).name
    return f"killed by {name}" + (" (this CPU lacks instructions it needs)" if name == "SIGILL" else "")
