"""The CPU: what it can do, and which type an export should compute in on it."""

import os
import platform
from pathlib import Path

from keras_ft.doctor.child import COLUMNS, INNER, ROWS
from keras_ft.doctor.finding import Finding, bad, note, ok
from keras_ft.doctor.probe import Probe

BFLOAT16_FLAGS = {"avx512_bf16": "AVX-512", "amx_bf16": "AMX", "avx_ne_convert": "AVX-NE-CONVERT", "bf16": "Arm"}
VECTOR_FLAGS = {"avx512f": "AVX-512", "avx2": "AVX2", "avx": "AVX", "sve": "SVE", "asimd": "NEON"}
WORTH_IT = 1.1
CPU_INFO = Path("/proc/cpuinfo")
CGROUP = Path("/sys/fs/cgroup")


def cpu(found: Probe) -> list[Finding]:
    """Cores, vector units, and the measured type for exports."""
    return [_cores(), _units(*_flags()), _dtype(found)]


def _cores() -> Finding:
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    allowed = _allowed_cores()
    if allowed and allowed < usable:
        what = f"{usable} CPU cores, of which this container may use {allowed:g}"
        return note(what, f"set OMP_NUM_THREADS={max(1, round(allowed))}, or TensorFlow starts {usable} threads")
    return ok(f"{usable} CPU core{'s' if usable > 1 else ''}")


def _allowed_cores() -> float | None:
    """The quota of a container (cgroup 2, then 1)."""
    try:
        quota, period = (CGROUP / "cpu.max").read_text().split()
    except (OSError, ValueError):
        try:
            names = ("cpu.cfs_quota_us", "cpu.cfs_period_us")
            quota, period = ((CGROUP / "cpu" / name).read_text().strip() for name in names)
        except OSError:
            return None
    return int(quota) / int(period) if quota.isdigit() else None


def _flags() -> tuple[str, set[str]]:
    """The model's name and the flags of the first core."""
    try:
        lines = CPU_INFO.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor() or platform.machine(), set()
    values: dict[str, str] = {}
    for line in lines:
        key, _, value = line.partition(":")
        values.setdefault(key.strip(), value.strip())
    name = values.get("model name") or platform.machine()
    return name, set((values.get("flags") or values.get("Features") or "").split())


def _units(name: str, flags: set[str]) -> Finding:
    if not flags:
        return note(f"CPU {name}; its features are not known here")
    vectors = next((units for flag, units in VECTOR_FLAGS.items() if flag in flags), None)
    if vectors is None:
        return bad(f"CPU {name} has no AVX", "take another machine: TensorFlow's wheels need AVX")
    bfloat16 = [f"{units} ({flag})" for flag, units in BFLOAT16_FLAGS.items() if flag in flags]
    return ok(f"CPU {name}: {vectors}; bfloat16 units: {', '.join(bfloat16) or 'none'}")


def _dtype(found: Probe) -> Finding:
    if not found.milliseconds:
        return note("matrix products were not timed: TensorFlow did not get that far")
    times = found.milliseconds
    operations = 2 * ROWS * INNER * COLUMNS
    speeds = ", ".join(f"{dtype} {operations / ms / 1e6:.0f}" for dtype, ms in times.items())
    faster = times["float32"] / times["bfloat16"]
    if faster >= WORTH_IT:
        advice = f"export for this CPU with: --dtype bfloat16 (measured {faster:.1f} times as fast)"
    else:
        advice = "export for this CPU in float32, the default"
    return ok(f"matrix products in GFLOP/s: {speeds}", advice)
