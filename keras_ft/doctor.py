"""`keras-ft doctor`: versions, devices, and what is wrong with this machine."""

import os
import platform
import shutil
import sys
import timeit
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from keras_ft.paths import cache_folder

MEMORY_WANTED = 4e9
DISK_WANTED = 2e9


@dataclass(frozen=True)
class Finding:
    """One thing looked at.

    Attributes:
        ok: whether it is as it should be.
        what: what was found.
        advice: what to do, where something is wrong.
    """

    ok: bool
    what: str
    advice: str = ""


def examine() -> list[Finding]:
    """Everything that decides whether training, export and serving will work here."""
    return [_python(), *_packages(), _devices(), _bfloat16(), _memory(), _disk()]


def _python() -> Finding:
    ok = (3, 11) <= sys.version_info[:2] <= (3, 13)
    return Finding(ok, f"Python {platform.python_version()}", "" if ok else "use Python 3.11, 3.12 or 3.13")


def _packages() -> list[Finding]:
    from packaging.requirements import Requirement

    findings = []
    for line in requires("keras-ft") or []:
        requirement = Requirement(line)
        if requirement.marker and not requirement.marker.evaluate({"extra": "serve"}):
            continue
        install = f'pip install "{requirement.name}{requirement.specifier}"'
        try:
            found = version(requirement.name)
        except PackageNotFoundError:
            findings.append(Finding(False, f"{requirement.name} is not installed", install))
            continue
        ok = requirement.specifier.contains(found, prereleases=True)
        findings.append(Finding(ok, f"{requirement.name} {found}", "" if ok else install))
    return findings


def _devices() -> Finding:
    import tensorflow as tf

    names = [device.device_type for device in tf.config.list_physical_devices()]
    return Finding(True, f"TensorFlow sees {', '.join(names)}; {os.cpu_count()} CPU cores")


def _bfloat16() -> Finding:
    import tensorflow as tf

    def seconds(dtype: str) -> float:
        left, right = tf.ones([512, 768], dtype), tf.ones([768, 768], dtype)
        return min(timeit.repeat(lambda: tf.matmul(left, right).numpy(), number=1, repeat=20))

    times = {dtype: seconds(dtype) for dtype in ("float32", "bfloat16")}
    faster = times["float32"] / times["bfloat16"]
    what = f"bfloat16 matrix products take {1 / faster:.2f} of float32's time"
    return Finding(True, what, "" if faster >= 1 else "stay with float32 on this machine")


def _memory() -> Finding:
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        available = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration, ValueError):
        return Finding(True, "available memory unknown")
    ok = available >= MEMORY_WANTED
    advice = "" if ok else "close other programs, or use a smaller batch_size"
    return Finding(ok, f"{available / 1e9:.1f} GB of memory available", advice)


def _disk() -> Finding:
    folder = cache_folder()
    while not folder.exists():
        folder = folder.parent
    free = min(shutil.disk_usage(place).free for place in (folder, Path.cwd()))
    ok = free >= DISK_WANTED
    return Finding(ok, f"{free / 1e9:.1f} GB of disk free", "" if ok else "free 2 GB for presets and checkpoints")
