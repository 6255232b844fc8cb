"""The models a server holds: names, versions, labels and states, free of HTTP.

Versions come and go while requests are answered: a new one is loaded and warmed up before an old one is let go, and an
old one is closed when its last request has been answered. One that cannot be loaded leaves those that are served alone.
"""

import gc
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from keras_ft.errors import KerasFTError
from keras_ft.serving.models.config import ModelConfig
from keras_ft.serving.models.session_model import SessionModel
from keras_ft.serving.models.version_folders import fetched, versions_in
from keras_ft.serving.signature import Predictor
from keras_ft.serving.status import StatusError, invalid

STATES = ("START", "LOADING", "AVAILABLE", "UNLOADING", "END")
MOST_ENDED = 8  # of a model, whose states are still told
LONGEST_REQUEST = 120.0  # seconds that a version is kept for those that it still answers


@dataclass(eq=False)
class ModelVersion:
    """One version of a model: where it is, how far its life has come (one of `STATES`), and what went wrong."""

    name: str
    version: int
    folder: str
    state: str = "START"
    error_code: str = "OK"
    error_message: str = ""
    predictor: Predictor | None = None
    users: int = 0
    fingerprint: object = field(default=None, repr=False)

    def is_idle(self) -> bool:
        """Whether no request is being answered."""
        return self.users == 0


class VersionWatcher(Protocol):
    """Told what becomes of versions; `ServerMetrics` is one."""

    def loaded(self, model: str, version: int, seconds: float, folder: str, signatures: Sequence[str]) -> None:
        """A version is about to be served."""

    def load_failed(self, model: str, version: int, folder: str) -> None:
        """A version could not be loaded."""

    def unloaded(self, model: str, version: int) -> None:
        """A version is served no longer."""


class Lease:
    """A version that answers a request; it stays loaded until `release`, which may be called more than once."""

    def __init__(self, store: "ModelStore", version: ModelVersion, predictor: Predictor):
        self.version, self.predictor = version, predictor
        self._store: ModelStore | None = store

    def release(self) -> None:
        """The request has been answered."""
        store, self._store = self._store, None
        if store is not None:
            store._return(self.version)

    def __enter__(self) -> "Lease":
        return self

    def __exit__(self, *_) -> None:
        self.release()


def load_session_model(folder: Path) -> Predictor:
    """Load a SavedModel folder and replay its warm-up requests; raises `StatusError`."""
    model = SessionModel(folder)
    try:
        model.warm_up()
    except StatusError:
        model.close()
        raise
    return model


class ModelStore:
    """Named models with versions. Nothing is loaded before `update`.

    Arguments:
        configs: the models and which of their versions.
        load: makes the predictor of a local version folder; raises `StatusError` when it cannot.
        front: what requests are sent to, given a version and its predictor; to put a queue before it.
        tell: is given a line whenever a version comes, goes, or fails.
        watcher: is told the same.
    """

    def __init__(
        self,
        configs: Iterable[ModelConfig],
        load: Callable[[Path], Predictor] = load_session_model,
        front: Callable[[ModelVersion, Predictor], Predictor] = lambda _, predictor: predictor,
        tell: Callable[[str], None] = lambda _: None,
        watcher: VersionWatcher | None = None,
    ):
        self._load, self._front, self._tell, self._watcher = load, front, tell, watcher
        self._lock = threading.Condition()
        self._updating = threading.Lock()
        self._configs = {config.name: config for config in configs}
        self._models: dict[str, dict[int, ModelVersion]] = {name: {} for name in self._configs}
        self._unread: dict[str, str] = {}  # name → why its folder could not be read

    def update(self) -> None:
        """Look into the folders, load what is new, let go what is no longer wanted; waits until that is done."""
        with self._updating:
            for config in list(self._configs.values()):
                self._update_model(config)
            for name in [name for name in self._models if name not in self._configs]:
                self._retire(it for it in self.versions(name) if it.state == "AVAILABLE")
                with self._lock:
                    del self._models[name]

    def reload(self, configs: Iterable[ModelConfig]) -> None:
        """Serve these models from now on, and wait until that is so; models that stay keep their versions.

        Raises:
            StatusError: a label stands for a version that is not available, or a model has no version that is; what
                could be loaded is served all the same.
        """
        with self._updating, self._lock:
            self._configs = {config.name: config for config in configs}
            self._models.update({name: {} for name in self._configs if name not in self._models})
        self.update()
        for config in self._configs.values():
            available = [it.version for it in self.versions(config.name) if it.state == "AVAILABLE"]
            if not available:
                raise StatusError("UNKNOWN", f"Some models did not become available: {{{config.name}}}")
            for label, version in config.labels.items():
                if version not in available:
                    raise StatusError(
                        "FAILED_PRECONDITION",
                        f"Request to assign label to {config.name} version {version}, which is not currently "
                        f"available for inference, as label {label}",
                    )

    def close(self) -> None:
        """Let go every version."""
        with self._updating:
            self._retire(it for it in self.versions() if it.state == "AVAILABLE")

    def versions(self, name: str | None = None) -> list[ModelVersion]:
        """The versions of one model, or of all, newest first; empty if there is no such model."""
        with self._lock:
            names = list(self._models) if name is None else [name]
            return [self._models[n][v] for n in names if n in self._models for v in sorted(self._models[n])[::-1]]

    @property
    def names(self) -> list[str]:
        """Of the models that are to be served."""
        return list(self._configs)

    def not_ready(self) -> list[str]:
        """The models that have no version to answer with."""
        return [name for name in self._configs if not any(it.state == "AVAILABLE" for it in self.versions(name))]

    def lease(self, name: str, version: int | None = None, label: str | None = None) -> Lease:
        """The version that answers a request, the latest available one unless asked for; to be released.

        Raises:
            StatusError: NOT_FOUND where it is not available, INVALID_ARGUMENT for an unknown label.
        """
        if label is not None:
            config = self._configs.get(name)
            version = config.labels.get(label) if config else None
            if version is None:
                raise invalid(f"Unrecognized servable version label: {label}")
        with self._lock:
            for candidate in self.versions(name):
                if candidate.predictor is not None and version in (None, candidate.version):
                    candidate.users += 1
                    return Lease(self, candidate, candidate.predictor)
        wanted = f"Latest({name})" if version is None else f"Specific({name}, {version})"
        raise StatusError("NOT_FOUND", f"Servable not found for request: {wanted}")

    def statuses(self, name: str, version: int | None = None) -> list[ModelVersion]:
        """The versions a status request asks for, newest first; raises `StatusError` where there is none."""
        found = [it for it in self.versions(name) if version in (None, it.version)]
        if not found and version is None:
            raise StatusError("NOT_FOUND", f"Could not find any versions of model {name}")
        if not found:
            raise StatusError("NOT_FOUND", f"Could not find version {version} of model {name}")
        return found

    def _update_model(self, config: ModelConfig) -> None:
        try:
            found = versions_in(config.base_path)
        except (OSError, KerasFTError) as error:
            self._cannot_read(config, str(error))
            return
        wanted = config.policy.wanted(found)
        if not wanted:  # a folder that was emptied takes no service down
            self._cannot_read(config, f"no version to serve in {config.base_path}")
            return
        self._unread.pop(config.name, None)
        for number in sorted(wanted, reverse=True):
            self._load_version(config.name, number, found[number])
        served = [it for it in self.versions(config.name) if it.state == "AVAILABLE"]
        if any(it.version in wanted for it in served):
            self._retire(it for it in served if it.version not in wanted)

    def _cannot_read(self, config: ModelConfig, why: str) -> None:
        if self._unread.get(config.name) != why:
            self._unread[config.name] = why
            self._tell(f"Not serving anything new of {config.name}: {why}")

    def _load_version(self, name: str, number: int, folder: str) -> None:
        there = self._models[name].get(number)
        if there is not None and there.state != "END":
            return
        fingerprint = _fingerprint(folder)
        if there is not None and there.error_code != "OK" and there.fingerprint == fingerprint:
            return  # it failed, and nothing has changed since
        version = ModelVersion(name, number, folder, state="LOADING", fingerprint=fingerprint)
        with self._lock:
            self._models[name][number] = version
        begin = time.perf_counter()
        try:
            predictor = self._front(version, self._load(fetched(folder)))
        except (StatusError, KerasFTError) as error:
            code = error.code if isinstance(error, StatusError) else "UNAVAILABLE"
            message = error.message if isinstance(error, StatusError) else str(error)
            self._set(version, state="END", error_code=code, error_message=message)
            self._tell(f"Not serving {name} version {number} ({folder}): {code}: {' '.join(message.split())}")
            if self._watcher is not None:
                self._watcher.load_failed(name, number, folder)
            return
        if self._watcher is not None:
            self._watcher.loaded(name, number, time.perf_counter() - begin, folder, list(predictor.signatures))
        self._set(version, state="AVAILABLE", predictor=predictor)
        self._tell(f"Serving {name} version {number}")

    def _retire(self, versions: Iterable[ModelVersion]) -> None:
        for version in list(versions):
            predictor = version.predictor
            with self._lock:
                version.state, version.predictor = "UNLOADING", None
                self._lock.wait_for(version.is_idle, LONGEST_REQUEST)
            if predictor is not None:
                predictor.close()
                del predictor
                gc.collect()  # graphs hold themselves: left alone, those of fifty swaps took 300 MB
            self._set(version, state="END")
            self._tell(f"No longer serving {version.name} version {version.version}")
            if self._watcher is not None:
                self._watcher.unloaded(version.name, version.version)
            with self._lock:
                of_model = self._models[version.name]
                for ended in [it for it in of_model.values() if it.state == "END"][:-MOST_ENDED]:
                    del of_model[ended.version]

    def _return(self, version: ModelVersion) -> None:
        with self._lock:
            version.users -= 1
            self._lock.notify_all()

    def _set(self, version: ModelVersion, **changes) -> None:
        with self._lock:
            for name, value in changes.items():
                setattr(version, name, value)


def _fingerprint(folder: str) -> object:
    """Changes when a file of a local folder does."""
    files = [path for path in Path(folder).rglob("*") if path.is_file()]
    return sorted((str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in files)
