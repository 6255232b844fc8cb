"""Checkpoints for resuming: a folder each, renamed into place when whole, so that a crash harms none.

checkpoints/step-00000120/state.safetensors   weights and optimizer
checkpoints/step-00000120/progress.json       where the run stood
checkpoints/best-00000100/…                   weights of the best evaluation
"""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from keras_ft.errors import WorkError

Progress = dict[str, Any]


class Checkpoints:
    """The checkpoints of one run.

    Args:
        folder: made when the first one is written.
        keep: how many of the latest are kept.
        saved: is called after every checkpoint.
    """

    def __init__(self, folder: Path, keep: int, saved: Callable[[], None] = lambda: None):
        self.folder = folder
        self.keep = keep
        self.saved = saved
        for half in folder.glob("*.writing"):  # left by a run that was killed
            shutil.rmtree(half)

    def save(self, step: int, state: dict[str, np.ndarray], progress: Progress) -> None:
        """Write the checkpoint of a step; delete those beyond `keep`, and best weights that none of the kept names."""
        _write(self.folder / f"step-{step:08d}", state, progress)
        for old in self._steps()[: -self.keep]:
            shutil.rmtree(old)
        named = {_read_progress(kept).get("best_step") for kept in self._steps()}
        for best in self.folder.glob("best-*"):
            if int(best.name[5:]) not in named:
                shutil.rmtree(best)
        self.saved()

    def save_best(self, step: int, state: dict[str, np.ndarray], progress: Progress) -> None:
        """Write the weights of the best evaluation so far; `progress` says what was measured."""
        _write(self.folder / f"best-{step:08d}", state, progress)

    def latest(self) -> tuple[dict[str, np.ndarray], Progress] | None:
        """State and progress of the last whole checkpoint, None if there is none.

        Raises:
            WorkError: it cannot be read.
        """
        steps = self._steps()
        return _read(steps[-1]) if steps else None

    def best(self, step: int) -> dict[str, np.ndarray]:
        """The weights that `save_best` wrote at that step."""
        return _read(self.folder / f"best-{step:08d}")[0]

    def _steps(self) -> list[Path]:
        return sorted(p for p in self.folder.glob("step-*") if p.name[5:].isdigit() and (p / "progress.json").is_file())


def _write(target: Path, state: dict[str, np.ndarray], progress: Progress) -> None:
    from safetensors.numpy import save_file

    scratch = target.with_name(target.name + ".writing")
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    save_file({name: np.asarray(array, order="C") for name, array in state.items()}, scratch / "state.safetensors")
    (scratch / "progress.json").write_text(json.dumps(progress, indent=1), encoding="utf-8")
    for file in scratch.iterdir():
        _to_disk(file)
    shutil.rmtree(target, ignore_errors=True)  # left by a run that was killed after this step; it is made again
    scratch.rename(target)
    _to_disk(target.parent)


def _read(folder: Path) -> tuple[dict[str, np.ndarray], Progress]:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        return load_file(folder / "state.safetensors"), _read_progress(folder)
    except (OSError, ValueError, SafetensorError) as error:
        raise WorkError(
            f"checkpoint {folder} cannot be read ({error}); delete it to go on from the one before"
        ) from None


def _read_progress(folder: Path) -> Progress:
    return json.loads((folder / "progress.json").read_text(encoding="utf-8"))


def _to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
