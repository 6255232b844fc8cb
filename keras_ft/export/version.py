"""Versions of a model: where each lies, and how one comes there whole or not at all."""

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import tensorflow as tf

from keras_ft.errors import RequestError, WorkError
from keras_ft.export.verify import Verification, verify
from keras_ft.paths import AnyPath, child_folders, is_remote, push, working_folder


def write_version(to: AnyPath, version: int | None, write: Callable[[Path, str], None]) -> tuple[str, Verification]:
    """Write a version beside its place, verify it, and put it there.

    Args:
        to, version: as `export` has them.
        write: is given the folder to make and the name that the model is served under; writes all that `verify` reads.

    Returns:
        The version's folder and what verification found.

    Raises:
        RequestError: the version exists, or the folder cannot be written.
        WorkError: it cannot be written, or does not verify; nothing is left behind.
    """
    target = version_folder(to, version)
    here = working_folder(to) if is_remote(to) else Path(to)
    try:
        here.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RequestError(f"--to {to} cannot be written ({error.strerror}); give another folder") from None
    number = target.rsplit("/", 1)[-1]
    scratch = here / f".exporting-{number}-{os.getpid()}"
    try:
        _written(scratch, lambda: write(scratch, _name(to)))
        found = verify(scratch)
        if is_remote(to):
            push(scratch, target, last=["saved_model.pb"])
        else:
            _publish(scratch, Path(target))
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return target, found


def _written(scratch: Path, write: Callable[[], None]) -> None:
    try:
        write()
    except (OSError, tf.errors.OpError) as error:
        reason = " ".join(str(error).split())[:200]
        raise WorkError(f"{scratch.parent} cannot be written ({reason}); check its rights and the free space") from None


def _publish(scratch: Path, target: Path) -> None:
    try:
        scratch.rename(target)
    except OSError:
        raise RequestError(f"{target} was written by another process meanwhile; export again") from None


def version_folder(to: AnyPath, version: int | None = None) -> str:
    """Where a version would be written.

    Args:
        to: `MODELS/NAME`.
        version: its number; the next free one if not given.

    Raises:
        RequestError: `to` cannot be a model's folder, or the version exists.
    """
    if not re.fullmatch(r"[\w.-]+", _name(to)) or _name(to).isdigit():
        raise RequestError(f"{to} should end in the model's name (letters, digits, '_', '-', '.'; not only digits)")
    return f"{os.fspath(to).rstrip('/')}/{_free_version(to, version)}"


def _name(to: AnyPath) -> str:
    return os.fspath(to).rstrip("/").rsplit("/", 1)[-1] if is_remote(to) else Path(to).resolve().name


def _free_version(to: AnyPath, version: int | None) -> int:
    if not is_remote(to) and Path(to).exists() and not Path(to).is_dir():
        raise RequestError(f"--to {to} is a file; give a folder")
    taken = {int(name) for name in child_folders(to) if name.isascii() and name.isdecimal()}
    if version is None:
        return max(taken, default=0) + 1
    if version < 1:
        raise RequestError(f"--version {version} should be at least 1")
    if version in taken:
        taken_by = f"{os.fspath(to).rstrip('/')}/{version}"
        raise RequestError(f"{taken_by} exists; give another --version (next free: {max(taken) + 1})")
    return version
