"""Memory, disk, and the folders that downloads are kept in."""

import fcntl
import os
import shutil
import tempfile
from pathlib import Path

from keras_ft.doctor.finding import Finding, bad, note, ok
from keras_ft.paths import cache_folder

LITTLE_MEMORY, MEMORY_WANTED = 1.5e9, 4e9  # bytes: MiniLM in small batches; BERT base with its optimizer
LITTLE_DISK, DISK_WANTED = 0.5e9, 2e9  # bytes: one small run; a preset, checkpoints and an export of BERT base
MEMORY_INFO = Path("/proc/meminfo")
OWN_CGROUPS = Path("/proc/self/cgroup")
CGROUP = Path("/sys/fs/cgroup")


def memory() -> Finding:
    """What this process may still take: of the machine, and of its container."""
    try:
        lines = MEMORY_INFO.read_text(encoding="ascii").splitlines()
        available = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration, ValueError):
        return note("available memory is not known here")
    limited = _left_in_cgroup()
    where = "available"
    if limited is not None and limited < available:
        available, where = limited, "left within this container's limit"
    what = f"{available / 1e9:.1f} GB of memory {where}"
    if available < LITTLE_MEMORY:
        return bad(what, "close other programs or raise the limit: training the smallest preset takes about 1.5 GB")
    if available < MEMORY_WANTED:
        return note(what, "take a small backbone or a smaller train.batch_size; BERT base wants 4 GB")
    return ok(what)


def disk(folders: list[Path]) -> list[Finding]:
    """Free space at each folder that will be written; one finding a file system."""
    findings, seen = [], set()
    for folder in folders:
        place = nearest_folder(folder)
        device = place.stat().st_dev
        if device in seen:
            continue
        seen.add(device)
        free = shutil.disk_usage(place).free
        what = f"{free / 1e9:.1f} GB of disk free at {place}"
        if free < LITTLE_DISK:
            findings.append(bad(what, "free 2 GB for presets, checkpoints and exports"))
        elif free < DISK_WANTED:
            findings.append(note(what, "free 2 GB before you train BERT base: its checkpoints hold three copies"))
        else:
            findings.append(ok(what))
    return findings


def caches() -> list[Finding]:
    """The folders that downloads are kept in, whether or not they exist yet."""
    home = Path.home()
    folders = {
        "KERAS_FT_CACHE": cache_folder(),
        "KAGGLEHUB_CACHE": Path(os.environ.get("KAGGLEHUB_CACHE") or home / ".cache/kagglehub"),
        "HF_HOME": Path(os.environ.get("HF_HOME") or home / ".cache/huggingface"),
    }
    findings = []
    for variable, folder in folders.items():
        reason = why_not_writable(folder)
        if not reason:
            continue
        what, advice = f"downloads cannot be kept in {folder}: {reason}", f"set {variable} to a folder of yours"
        findings.append(bad(what, advice) if variable == "KERAS_FT_CACHE" else note(what, advice))
    return findings or [ok(f"downloads are kept in {folders['KERAS_FT_CACHE']}, which can be written")]


def why_not_writable(folder: Path) -> str:
    """Write, lock and delete a file there, or in the nearest folder above that exists.

    Returns:
        What went wrong; empty if nothing did. Nothing is left behind.
    """
    place = nearest_folder(folder)
    if folder.exists() and not folder.is_dir():
        return "it is a file, not a folder"
    blocking = next((above for above in folder.absolute().parents if above.exists() and not above.is_dir()), None)
    if blocking:
        return f"{blocking} is a file, not a folder"
    try:
        with tempfile.NamedTemporaryFile(dir=place, prefix=".keras-ft-doctor-") as file:
            file.write(b"\0" * 4096)
            file.flush()
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return f"{(error.strerror or str(error)).lower()} (tried in {place})"
    return ""


def nearest_folder(path: Path) -> Path:
    """The folder itself, or the nearest one above that exists."""
    path = path.expanduser().absolute()
    return next(place for place in (path, *path.parents) if place.is_dir())


def _left_in_cgroup() -> int | None:
    """Bytes left of the limit (cgroup 2, then 1); page cache that can be dropped counts as free."""
    for folder, limit, usage, dropped in _cgroups():
        try:
            most = (folder / limit).read_text().strip()
            if not most.isdigit() or int(most) >= 1 << 60:  # "max", or version 1's way to say so
                continue
            statistics = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
            return int(most) - int((folder / usage).read_text()) + int(statistics.get(dropped, 0))
        except (OSError, ValueError):
            continue
    return None


def _cgroups() -> list[tuple[Path, str, str, str]]:
    """Folders that may hold the limit; inside a container its own is mounted at the root."""
    second = ("memory.max", "memory.current", "inactive_file")
    first = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
    found = []
    try:
        lines = OWN_CGROUPS.read_text().splitlines()
    except OSError:
        lines = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if not controllers:
            found.append((CGROUP / path.lstrip("/"), *second))
        elif "memory" in controllers.split(","):
            found.append((CGROUP / "memory" / path.lstrip("/"), *first))
    return [*found, (CGROUP, *second), (CGROUP / "memory", *first)]
