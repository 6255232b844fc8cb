"""GPUs, TPUs and JAX, and which engine can use them."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from keras_ft.doctor.finding import Finding, bad, note, ok
from keras_ft.doctor.packages import installed
from keras_ft.doctor.probe import Probe

TPU_VARIABLES = ("TPU_NAME", "TPU_WORKER_ID", "COLAB_TPU_ADDR", "TPU_ACCELERATOR_TYPE")
TPU_LIBRARIES = ("libtpu", "libtpu-nightly", "tensorflow-tpu")
DEVICES = Path("/dev")
DRIVER = Path("/proc/driver/nvidia/version")
JAX_SECONDS = 60.0
ONLY_FOR_JAX = "only 'runtime: {engine: jax}' needs JAX"
JAX_CODE = """
import json, jax
print(json.dumps([jax.__version__, [f"{d.platform} {d.device_kind}" for d in jax.devices()]]))
"""


def accelerators(found: Probe) -> list[Finding]:
    """What trains faster than the CPU here."""
    return [*gpus(found), tpu(), jax()]


def gpus(found: Probe) -> list[Finding]:
    """The GPUs TensorFlow sees, and those it does not."""
    seen = found.devices.count("GPU")
    present = _nvidia_gpus()
    if seen:
        names = ", ".join(present or ["their driver does not name them"])
        several = "'strategy: auto' trains on all of them, 'strategy: one' on the first" if seen > 1 else ""
        return [ok(f"TensorFlow sees {seen} GPU{'s' if seen > 1 else ''}: {names}", several)]
    if present is None:
        if (DEVICES / "kfd").exists():
            return [note("an AMD GPU is here; TensorFlow's wheels cannot use it", "train on the CPU")]
        return [ok("no GPU here; training runs on the CPU")]
    names = ", ".join(present) or "an NVIDIA GPU"
    if os.environ.get("CUDA_VISIBLE_DEVICES", "0") in ("", "-1"):
        return [note(f"{names}: hidden by CUDA_VISIBLE_DEVICES", "unset it to train on the GPU")]
    if not found.devices:
        return [note(f"{names}: not tried, for TensorFlow does not start")]
    if not found.cuda:
        advice = "run: pip install 'tensorflow[and-cuda]~=2.20.0' (on Linux; others need WSL or Docker)"
        return [bad(f"{names}: this TensorFlow was built without CUDA", advice)]
    advice = "run: pip install 'tensorflow[and-cuda]~=2.20.0'; if it stays, update the driver (CUDA 12.5 or later)"
    return [bad(f"{names}: TensorFlow does not see it, so training would run on the CPU", advice)]


def tpu() -> Finding:
    """Signs of a TPU: variables that its machines set, devices, libraries."""
    signs = [name for name in TPU_VARIABLES if os.environ.get(name)]
    signs += [str(path) for path in sorted(DEVICES.glob("accel[0-9]*"))[:1]]
    libraries = [name for name in TPU_LIBRARIES if installed(name)]
    if libraries:  # other virtual machines have these too
        signs += [str(path) for path in sorted((DEVICES / "vfio").glob("[0-9]*"))[:1]]
    if not signs:
        return ok("no TPU here")
    what = f"a TPU is here ({', '.join([*signs, *libraries])}), which the engine tensorflow of this release cannot use"
    return note(what, "train with 'runtime: {engine: jax}' in the recipe; TensorFlow's TPU wheels end at 2.19")


def jax(seconds: float = JAX_SECONDS) -> Finding:
    """JAX and its devices, asked in a process of its own: one process has one backend, and a TPU one owner."""
    if not installed("jax"):
        return ok("JAX is not installed; only 'runtime: {engine: jax}' needs it (pip install 'keras-ft[jax]')")
    environment = {**os.environ, "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-c", JAX_CODE], capture_output=True, text=True, timeout=seconds, env=environment
        )
        name, devices = json.loads((done.stdout.strip().splitlines() or [""])[-1])
    except subprocess.TimeoutExpired:
        what = f"JAX did not list its devices within {seconds:.0f} s"
        return note(what, f"end the process that holds the accelerator; {ONLY_FOR_JAX}")
    except ValueError:
        reason = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1][:200]
        return note(f"JAX does not start: {reason}", f"install the jax of this machine's devices; {ONLY_FOR_JAX}")
    return ok(f"JAX {name} sees {', '.join(devices)}, for 'runtime: {{engine: jax}}'")


def _nvidia_gpus() -> list[str] | None:
    """Name, driver and memory of each GPU; empty if there is a driver that tells nothing; None if there is none."""
    if shutil.which("nvidia-smi"):
        query = ["nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]
        try:
            done = subprocess.run(query, capture_output=True, text=True, timeout=20)
        except (OSError, subprocess.TimeoutExpired):
            return []
        if done.returncode == 0 and done.stdout.strip():
            return [_describe(line) for line in done.stdout.strip().splitlines()]
    return [] if DRIVER.exists() or (DEVICES / "nvidia0").exists() else None


def _describe(line: str) -> str:
    name, driver, memory = (part.strip() for part in (line + ",,").split(",")[:3])
    return f"{name} ({memory}, driver {driver})"
