"""One layer for paths that are local and paths in an object store (`gs://bucket/…`).

What is remote is copied here and worked on here: memory maps, HDF5 and checkpoints need a real file system. What is
copied there has its marker written last, for an object store cannot rename a folder in one step.
"""

import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterable
from pathlib import Path

from etils import epath

from keras_ft.errors import RequestError, WorkError

SCHEMES = ("gs",)  # those that TensorFlow brings with it
AnyPath = str | os.PathLike


def cache_folder() -> Path:
    """Where fetched models and copies of remote files are kept: `$KERAS_FT_CACHE`, else `~/.cache/keras_ft`."""
    if "KERAS_FT_CACHE" in os.environ:
        return Path(os.environ["KERAS_FT_CACHE"])
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "keras_ft"


def exists(path: AnyPath) -> bool:
    """Whether there is a file or folder, here or in a store.

    Raises:
        WorkError: the store cannot be read.
    """
    try:
        return epath.Path(path).exists()
    except Exception as error:
        raise _explained(error, f"{os.fspath(path)} cannot be read") from error


def is_remote(path: AnyPath) -> bool:
    """Whether a path names something in an object store.

    Raises:
        RequestError: its scheme is one that cannot be read.
    """
    scheme = re.match(r"([a-zA-Z][\w+.-]*)://", os.fspath(path))
    if scheme and scheme[1] not in SCHEMES:
        known = ", ".join(f"{known}://" for known in SCHEMES)
        raise RequestError(f"{os.fspath(path)}: files at '{scheme[1]}://' cannot be read; known are {known} and local")
    return bool(scheme)


def write_whole(file: Path, text: str) -> None:
    """Write a local file in one step: who reads it, or is killed meanwhile, has the old one or the new one."""
    scratch = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        scratch.write_text(text, encoding="utf-8")
        scratch.replace(file)
    finally:
        scratch.unlink(missing_ok=True)


def local_file(path: AnyPath) -> Path:
    """A local file with the content of `path`: itself, or its copy in the cache, fetched anew when it has changed.

    Raises:
        RequestError: there is no such remote file.
        WorkError: it cannot be fetched.
    """
    if not is_remote(path):
        return Path(path)
    remote = epath.Path(path)
    try:
        stat = remote.stat() if remote.exists() else None
        if stat is None or stat.is_directory:
            raise RequestError(f"no such file: {remote}; check its name and who may read it")
        key = hashlib.sha256(json.dumps([str(remote), stat.length, str(stat.mtime)]).encode()).hexdigest()[:24]
        target = cache_folder() / "files" / key / remote.name
        if not target.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            _copy_down(remote, target)
    except Exception as error:
        raise _explained(error, f"{remote} cannot be read") from error
    return target


def local_folder(path: AnyPath) -> Path:
    """A local folder with the content of `path`: itself, or its copy in the cache, made anew at each call.

    Raises:
        WorkError: it cannot be fetched.
    """
    if not is_remote(path):
        return Path(path)
    target = reading_folder(path)
    pull(path, target)
    return target


def working_folder(remote: AnyPath) -> Path:
    """Where the cache keeps the local copy of a remote folder, there or not yet."""
    return _mirror("remote", remote)


def reading_folder(remote: AnyPath) -> Path:
    """Where the cache keeps what is only read of a remote folder, so that who works on the folder is not disturbed."""
    return _mirror("read", remote)


def _mirror(kind: str, remote: AnyPath) -> Path:
    scheme, _, place = os.fspath(remote).rstrip("/").partition("://")
    return cache_folder() / kind / scheme / place


def child_folders(remote: AnyPath) -> list[str]:
    """The names of the folders in a remote folder; none if there is no such folder.

    Raises:
        WorkError: the store cannot be read.
    """
    folder = epath.Path(remote)
    try:
        return [entry.name for entry, is_folder in _entries(folder) if is_folder]
    except Exception as error:
        raise _explained(error, f"{folder} cannot be read") from error


def pull(remote: AnyPath, local: Path, ignore: Iterable[str] = ()) -> None:
    """Make a local folder what a remote one is.

    Args:
        remote: copied from; a folder that does not exist is an empty one.
        local: files that are not in `remote` are deleted.
        ignore: names at the top that are left alone on both sides.

    Raises:
        WorkError: the store cannot be read.
    """
    source = epath.Path(remote)
    try:
        theirs = _files(source, ignore)
        kept = [name for name in theirs if _is_same_checkpoint(name, local, theirs)]
        for name, file in theirs.items():
            if name not in kept:
                (local / name).parent.mkdir(parents=True, exist_ok=True)
                _copy_down(file, local / name)
    except Exception as error:
        raise _explained(error, f"{source} cannot be read") from error
    for file in [p for p in local.rglob("*") if p.is_file()]:
        place = file.relative_to(local)
        if place.as_posix() not in theirs and place.parts[0] not in ignore:
            file.unlink()
    _drop_empty_folders(local, ignore)


def push(local: Path, remote: AnyPath, last: Iterable[str] = (), ignore: Iterable[str] = ()) -> None:
    """Make a remote folder what a local one is, in an order that leaves it valid at every moment.

    Args:
        local: copied from.
        remote: files that are not in `local` are deleted, after everything else.
        last: names of files, without their folders, that are written after all others, in this order.
        ignore: names at the top that are left alone on both sides.

    Raises:
        WorkError: the store cannot be written.
    """
    target = epath.Path(remote)
    order = {name: place for place, name in enumerate(last, start=1)}
    ours = {p.relative_to(local).as_posix(): p for p in local.rglob("*") if p.is_file()}
    ours = {name: p for name, p in ours.items() if name.split("/")[0] not in ignore}
    try:
        theirs = _files(target, ignore)
        kept = [name for name in ours if _is_same_checkpoint(name, local, theirs)]
        for name in sorted(ours, key=lambda name: (order.get(name.rsplit("/", 1)[-1], 0), name)):
            if name not in kept:
                copy_up(ours[name], target / name)
        for name, file in theirs.items():
            if name not in ours:
                file.unlink()
    except Exception as error:
        raise _explained(error, f"{target} cannot be written") from error


def copy_up(file: Path, target: AnyPath) -> None:
    """Copy a local file to a remote one."""
    there = epath.Path(target)
    there.parent.mkdir(parents=True, exist_ok=True)
    with file.open("rb") as source, there.open("wb") as copy:
        shutil.copyfileobj(source, copy, 1 << 22)


def _entries(folder: epath.Path) -> list[tuple[epath.Path, bool]]:
    """What a folder holds, and whether each is a folder itself; nothing where there is no such folder.

    Only calls that raise where the store cannot be reached decide this: `is_dir` would say no, and a folder that
    cannot be seen would pass for an empty one.
    """
    if not folder.exists():
        return []
    return [(entry, entry.stat().is_directory) for entry in folder.iterdir()]


def _files(folder: epath.Path, ignore: Iterable[str] = ()) -> dict[str, epath.Path]:
    found: dict[str, epath.Path] = {}
    for entry, is_folder in _entries(folder):
        if entry.name in ignore:
            continue
        inner = {f"{entry.name}/{name}": file for name, file in _files(entry).items()} if is_folder else {}
        found |= inner or ({} if is_folder else {entry.name: entry})
    return found


def _is_same_checkpoint(name: str, local: Path, theirs: dict[str, epath.Path]) -> bool:
    """Whether a checkpoint's file is on both sides already.

    A checkpoint never changes, so its weights need not be compared where its size and its small `progress.json`, which
    holds running times, are the same.
    """
    if not name.startswith("checkpoints/") or name not in theirs:
        return False
    folder = name.rsplit("/", 1)[0]
    ours, progress = local / name, local / folder / "progress.json"
    there = theirs.get(f"{folder}/progress.json")
    return (
        ours.is_file()
        and progress.is_file()
        and there is not None
        and theirs[name].stat().length == ours.stat().st_size
        and there.read_bytes() == progress.read_bytes()
    )


def _copy_down(remote: epath.Path, target: Path) -> None:
    scratch = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        with remote.open("rb") as source, scratch.open("wb") as copy:
            shutil.copyfileobj(source, copy, 1 << 22)
        scratch.replace(target)
    finally:
        scratch.unlink(missing_ok=True)


def _drop_empty_folders(folder: Path, ignore: Iterable[str]) -> None:
    for child in sorted((p for p in folder.rglob("*") if p.is_dir()), reverse=True):
        if child.relative_to(folder).parts[0] not in ignore and not any(child.iterdir()):
            child.rmdir()


def _explained(error: Exception, what: str) -> Exception:
    """Object stores raise errors of many kinds; ours pass unchanged."""
    if isinstance(error, RequestError | WorkError):
        return error
    if isinstance(error, OSError) and str(error.filename or "").startswith(str(cache_folder())):
        return WorkError(f"{error.filename} cannot be written ({error.strerror}); set KERAS_FT_CACHE to another folder")
    reason = " ".join(str(error).split())[:200]
    return WorkError(f"{what} ({reason}); check the network and your credentials")
