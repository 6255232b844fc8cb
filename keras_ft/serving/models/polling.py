"""Looks after new versions, and after a changed `models.config`, while a server runs."""

import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from keras_ft.errors import KerasFTError
from keras_ft.serving.models.config import read_model_config_file
from keras_ft.serving.models.store import ModelStore
from keras_ft.serving.status import StatusError


class Poller:
    """A thread that updates a store again and again, until `stop`.

    Arguments:
        store: the models.
        seconds: between two looks into the folders; 0 looks never again.
        config_file: a `models.config` to be read again when it changes.
        config_seconds: between two looks at that file; 0 looks never again.
        tell: is given a line when something goes wrong.
    """

    def __init__(
        self,
        store: ModelStore,
        seconds: float,
        config_file: Path | None = None,
        config_seconds: float = 0.0,
        tell: Callable[[str], None] = lambda _: None,
    ):
        self._store, self._tell = store, tell
        self._file, self._text = config_file, _text(config_file)
        self._every = {self._update: seconds, self._reload: config_seconds if config_file else 0.0}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="poller", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End; a version that is being loaded is loaded first."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        due = {work: time.monotonic() + every for work, every in self._every.items() if every}
        while due and not self._stop.wait(max(0.0, min(due.values()) - time.monotonic())):
            for work in [work for work, at in due.items() if at <= time.monotonic()]:
                try:
                    work()
                except (KerasFTError, StatusError, OSError) as error:
                    self._tell(" ".join(str(error).split()))
                except Exception:  # the next look may do better, and no look at all would go unnoticed
                    self._tell(traceback.format_exc().rstrip())
                due[work] = time.monotonic() + self._every[work]

    def _update(self) -> None:
        self._store.update()

    def _reload(self) -> None:
        text = _text(self._file)
        if text != self._text:
            self._text = text  # read once, right or wrong
            assert self._file is not None
            self._store.reload(read_model_config_file(self._file))
            self._tell(f"Read {self._file} again")


def _text(file: Path | None) -> str | None:
    try:
        return None if file is None else file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
