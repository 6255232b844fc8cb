"""`BackgroundServer`: a server in a process of its own, for tests and for the quickstart."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from keras_ft.errors import RequestError, WorkError
from keras_ft.paths import AnyPath

LOG_LINES = 12


class BackgroundServer:
    """A context manager that serves models from a child process.

    ```python
    with BackgroundServer([Path("models/sentiment")]) as server:
        Client(server.url).predict("sentiment", instances=["What a day!"])
    ```

    Arguments:
        model_folders: as for `serve`.
        more: further options of `keras-ft serve`.
        host, rest_port: where it listens; by default a free port of this machine.
        timeout: seconds to wait until every model is available.

    Raises:
        RequestError: on entering, what `serve` found wrong with the request.
        WorkError: on entering, the child died, took too long, or could not load a model; with its last log lines.
    """

    def __init__(
        self,
        model_folders: Iterable[AnyPath] = (),
        *more: str,
        host: str = "127.0.0.1",
        rest_port: int = 0,
        timeout: float = 120.0,
    ):
        self.timeout = timeout
        self.url = ""
        self.grpc_address: str | None = None
        options = ["--host", host, "--rest-port", str(rest_port), "--json", *more]
        self._command = [sys.executable, "-m", "keras_ft", "serve", *options, "--", *map(str, model_folders)]

    def __enter__(self) -> "BackgroundServer":
        self._folder = tempfile.TemporaryDirectory(prefix="keras-ft-serve-", ignore_cleanup_errors=True)
        self._answer, self._log = (Path(self._folder.name) / name for name in ("ready.json", "log"))
        package = str(Path(__file__).parents[2])
        path = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")]))
        with self._answer.open("wb") as stdout, self._log.open("wb") as stderr:
            self.process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                env={**os.environ, "PYTHONPATH": path},
            )
        try:
            self._wait()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_) -> None:
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._folder.cleanup()

    def log(self) -> str:
        """What the server has written to its log so far."""
        return self._log.read_text(errors="replace")

    def _wait(self) -> None:
        deadline = time.monotonic() + self.timeout
        while not (line := self._answer.read_text()).endswith("\n"):
            if self.process.poll() is not None:
                self._raise_death()
            if time.monotonic() > deadline:
                raise WorkError(f"the server was not ready after {self.timeout:.0f} seconds\n{self._last_lines()}")
            time.sleep(0.02)
        answer = json.loads(line)
        self.url, self.grpc_address = answer["url"], answer["grpc"]
        for model in answer["models"]:
            if model["state"] != "AVAILABLE":
                raise WorkError(
                    f"{model['name']} version {model['version']} could not be loaded: {model['error_message']}"
                )

    def _raise_death(self) -> None:
        if self.process.returncode == RequestError.exit_code:
            raise RequestError(self.log().strip().splitlines()[-1].removeprefix("keras-ft: "))
        raise WorkError(f"the server ended with exit code {self.process.returncode}\n{self._last_lines()}")

    def _last_lines(self) -> str:
        return "\n".join(self.log().splitlines()[-LOG_LINES:])
