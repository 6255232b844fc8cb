"""Checkpoints for resuming: a folder each, renamed into place when whole, so that a crash harms none.

checkpoints/step-00000120/state.safetensors   weights and optimizer
checkpoints/step-00000120/progress.json       where the run stood
checkpoints/best-00000100/…                   weights of the best evaluation

They are written by a thread while training goes on.
"""

import json
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from keras_ft.errors import WorkError
from keras_ft.training.background import Background

Progress = dict[str, Any]
State = dict[str, np.ndarray]


class Checkpoints:
    """The checkpoints of one run; as a context, it does not end before what was saved is written.

    Args:
        folder: made when the first one is written.
        keep: how many of the latest are kept.
        saved: is called after every checkpoint, by the thread that wrote it.
        writes: False for a worker that is not the chief: it reads what the chief writes.
    """

    def __init__(self, folder: Path, keep: int, saved: Callable[[], None] = lambda: None, writes: bool = True):
        self.folder = folder
        self.keep = keep
        self.saved = saved
        self.writes = writes
        self._background = Background()
        if writes:
            _clear_up(folder)

    def save(self, step: int, state: State, progress: Progress) -> None:
        """Begin to write the checkpoint of a step; then delete those beyond `keep`, and best weights that none names.

        Args:
            step: of the run.
            state: arrays that nobody changes any more.
            progress: what JSON can hold.

        Raises:
            WorkError: an earlier one could not be written, and cannot be now.
        """
        text = _as_json(progress)

        def write() -> None:
            _write(self.folder / f"step-{step:08d}", state, text)
            with suppress(OSError):  # some file systems keep what is read elsewhere; the next save tries again
                self._delete_old()
            self.saved()

        self._begin(write)

    def save_best(self, step: int, state: State, progress: Progress) -> None:
        """Begin to write the weights of the best evaluation so far; `progress` says what was measured."""
        text = _as_json(progress)
        self._begin(lambda: _write(self.folder / f"best-{step:08d}", state, text))

    def wait(self) -> None:
        """Wait until all that was saved is written.

        Raises:
            WorkError: it cannot be.
        """
        self._background.wait()

    def __enter__(self) -> "Checkpoints":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, KeyboardInterrupt):  # whoever presses Ctrl-C twice does not want to wait
            return
        try:
            self.wait()
        except (WorkError, OSError):
            if error is None:  # else the first error is what the user must know
                raise

    def latest(self) -> tuple[State, Progress] | None:
        """State and progress of the last whole checkpoint, None if there is none.

        Raises:
            WorkError: it cannot be read.
        """
        self.wait()
        steps = self._steps()
        return _read(steps[-1]) if steps else None

    def best(self, step: int) -> State:
        """The weights that `save_best` wrote at that step."""
        self.wait()
        return _read(self.folder / f"best-{step:08d}")[0]

    def _begin(self, write: Callable[[], None]) -> None:
        if self.writes:
            self._background.run(write)

    def _delete_old(self) -> None:
        for old in self._steps()[: -self.keep]:
            _delete(old)
        named = {_read_progress(kept).get("best_step") for kept in self._steps()}
        for best in self.folder.glob("best-*[0-9]"):
            if int(best.name[5:]) not in named:
                _delete(best)

    def _steps(self) -> list[Path]:
        return sorted(p for p in self.folder.glob("step-*") if p.name[5:].isdigit() and (p / "progress.json").is_file())


def _clear_up(folder: Path) -> None:
    """Put right what a run left that was killed while it wrote, replaced or deleted a checkpoint."""
    for replaced in folder.glob("*.replaced"):
        if not replaced.with_suffix("").exists():
            replaced.rename(replaced.with_suffix(""))
    for kind in ("writing", "replaced", "deleted"):
        for half in folder.glob(f"*.{kind}"):
            shutil.rmtree(half)


def _write(target: Path, state: State, progress: str) -> None:
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    scratch, replaced = target.with_suffix(".writing"), target.with_suffix(".replaced")
    try:
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(parents=True)
        save_file({name: np.asarray(array, order="C") for name, array in state.items()}, scratch / "state.safetensors")
        (scratch / "progress.json").write_text(progress, encoding="utf-8")
        for file in scratch.iterdir():
            _to_disk(file)
        if target.exists():  # a run that stopped after this step saves it again; both are whole at every moment
            shutil.rmtree(replaced, ignore_errors=True)
            target.rename(replaced)
        scratch.rename(target)
        _to_disk(target.parent)
        shutil.rmtree(replaced, ignore_errors=True)
    except (OSError, SafetensorError) as error:
        shutil.rmtree(scratch, ignore_errors=True)  # it may be what fills the disk
        reason = getattr(error, "strerror", None) or str(error).removeprefix("Error while serializing: I/O error: ")
        raise WorkError(
            f"checkpoint {target} cannot be written ({reason}); the one before is whole:"
            " free some space, and the same command goes on from it"
        ) from None


def _delete(folder: Path) -> None:
    """Delete a checkpoint so that one half deleted is not taken for whole."""
    gone = folder.rename(folder.with_suffix(".deleted"))
    shutil.rmtree(gone)


def _read(folder: Path) -> tuple[State, Progress]:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        return load_file(folder / "state.safetensors"), _read_progress(folder)
    except (OSError, ValueError, SafetensorError) as error:
        raise WorkError(
            f"checkpoint {folder} cannot be read ({error}); delete it to go on from the one before"
        ) from None


def _as_json(progress: Progress) -> str:
    return json.dumps(progress, indent=1)


def _read_progress(folder: Path) -> Progress:
    return json.loads((folder / "progress.json").read_text(encoding="utf-8"))


def _to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
