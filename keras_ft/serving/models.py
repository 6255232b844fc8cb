"""The models a server holds: names, versions, labels and states, free of HTTP.

`MODELS/NAME` holds one numeric folder per version; as TF Serving does by default, only the latest is loaded.
`MODELS/NAME/N` asks for version N.
"""

import os
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from keras_ft.errors import RequestError
from keras_ft.paths import AnyPath, child_folders, exists, is_remote, local_folder
from keras_ft.serving.session_model import SessionModel
from keras_ft.serving.signature import Predictor
from keras_ft.serving.status import StatusError, invalid

STATES = ("START", "LOADING", "AVAILABLE", "UNLOADING", "END")


@dataclass
class ModelVersion:
    """One version of a model: where it is, how far its life has come (one of `STATES`), and what went wrong."""

    name: str
    version: int
    folder: Path
    state: str = "START"
    error_code: str = "OK"
    error_message: str = ""
    predictor: Predictor | None = None


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
    """Named models with versions.

    Arguments:
        folders: `MODELS/NAME` (its latest version) or `MODELS/NAME/N` (that version), in any mix.
        load: makes the predictor of a version folder; raises `StatusError` when it cannot.
        labels: for each model name, version labels and the versions they stand for.

    Raises:
        RequestError: a folder does not exist, has no numeric version folder, or holds no SavedModel.
    """

    def __init__(
        self,
        folders: Iterable[AnyPath],
        load: Callable[[Path], Predictor] = load_session_model,
        labels: Mapping[str, Mapping[str, int]] | None = None,
    ):
        self._load = load
        self._labels = labels or {}
        self._lock = threading.Lock()
        self._models: dict[str, dict[int, ModelVersion]] = {}
        for folder in folders:
            found = find_version(folder)
            versions = self._models.setdefault(found.name, {})
            if found.version in versions:
                raise RequestError(
                    f"{folder}: version {found.version} of {found.name} is already served from "
                    f"{versions[found.version].folder}; give each model its own name"
                )
            versions[found.version] = found

    def load(self) -> None:
        """Load every version that is not loaded yet. One that fails ends in state END and keeps its error."""
        for version in self.versions():
            if version.state == "START":
                self._set(version, state="LOADING")
                try:
                    self._set(version, state="AVAILABLE", predictor=self._load(version.folder))
                except StatusError as error:
                    self._set(version, state="END", error_code=error.code, error_message=error.message)

    def close(self) -> None:
        """Unload every version."""
        for version in self.versions():
            predictor = version.predictor
            self._set(version, state="UNLOADING", predictor=None)
            if predictor is not None:
                predictor.close()
            self._set(version, state="END")

    def versions(self, name: str | None = None) -> list[ModelVersion]:
        """The versions of one model, or of all, newest first; empty if there is no such model."""
        with self._lock:
            names = list(self._models) if name is None else [name]
            return [self._models[n][v] for n in names if n in self._models for v in sorted(self._models[n])[::-1]]

    def find(self, name: str, version: int | None = None, label: str | None = None) -> tuple[ModelVersion, Predictor]:
        """The version that answers a request (the latest available one unless asked for) and its predictor.

        Raises:
            StatusError: NOT_FOUND where it is not available, INVALID_ARGUMENT for an unknown label.
        """
        if label is not None:
            version = self._labels.get(name, {}).get(label)
            if version is None:
                raise invalid(f"Unrecognized servable version label: {label}")
        for candidate in self.versions(name):
            predictor = candidate.predictor
            if predictor is not None and version in (None, candidate.version):
                return candidate, predictor
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

    def _set(self, version: ModelVersion, **changes) -> None:
        with self._lock:
            for field, value in changes.items():
                setattr(version, field, value)


def find_version(path: AnyPath) -> ModelVersion:
    """The version that `MODELS/NAME` (the latest) or `MODELS/NAME/N` stands for, copied here if it is remote.

    Raises:
        RequestError: there is none.
        WorkError: it cannot be fetched.
    """
    folder = _fetched(path) if is_remote(path) else Path(path)
    # A relative `.` has no name of its own.
    folder = folder.absolute() if folder.name else folder.resolve()
    if not folder.is_dir():
        raise RequestError(f"{folder}: no such folder; give a model folder that holds numbered versions (MODELS/NAME)")
    if _is_version(folder):
        name, version = folder.parent.name, folder
    else:
        versions = [it for it in folder.iterdir() if _is_version(it)]
        if (folder / "recipe.yaml").is_file():
            raise RequestError(f"{folder} is a run; 'keras-ft export' makes what can be served of it")
        if not versions:
            raise RequestError(
                f"{folder}: no version folder in it; a model is served from MODELS/NAME/1/saved_model.pb"
            )
        name, version = folder.name, max(versions, key=lambda it: int(it.name))
    if not any((version / file).is_file() for file in ("saved_model.pb", "saved_model.pbtxt")):
        raise RequestError(f"{version}: no saved_model.pb in it; export the model into this folder first")
    return ModelVersion(name, int(version.name), version)


def _fetched(path: AnyPath) -> Path:
    url = os.fspath(path).rstrip("/")
    if url.rsplit("/", 1)[-1].isdecimal():
        return local_folder(url)
    versions = sorted((int(name) for name in child_folders(url) if name.isascii() and name.isdecimal()), reverse=True)
    whole = next((version for version in versions if exists(f"{url}/{version}/saved_model.pb")), None)
    if whole is None:
        raise RequestError(f"{url}: no whole version in it; a model is served from MODELS/NAME/1/saved_model.pb")
    return local_folder(f"{url}/{whole}")


def _is_version(folder: Path) -> bool:
    return folder.is_dir() and folder.name.isascii() and folder.name.isdecimal()
