"""`keras-ft` and `python` for the scripts of documentation pages, without the start of Python and TensorFlow.

A page runs a dozen commands, and each would spend most of its time importing. Here one process imports TensorFlow and
Keras once and forks into what is to be run; `keras-ft` and `python` are scripts that hand over their arguments, folder,
environment and streams, and end as it ends. All else is as ever: of keras_ft, `startup` alone is
imported before the fork.
"""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

FOLDER = Path(__file__).parent
SOCKET = "KERAS_FT_TESTS_SOCKET"
NAMES = ("keras-ft", "python")


class QuickCommands:
    """The process and the folder of its commands.

    Args:
        folder: an empty one.
    """

    def __init__(self, folder: Path):
        for name in NAMES:
            text = (FOLDER / "launcher.py").read_text(encoding="utf-8")
            (folder / name).write_text(f"#!{sys.executable} -IS\n{text}", encoding="utf-8")
            (folder / name).chmod(0o755)
        socket = folder / "socket"
        command = [sys.executable, str(FOLDER / "forker.py"), str(socket)]
        self._process = subprocess.Popen(command, start_new_session=True)
        deadline = time.monotonic() + 120
        while not socket.exists():
            assert self._process.poll() is None, "the process ended"
            assert time.monotonic() < deadline, "the process does not begin to listen"
            time.sleep(0.05)
        path = os.pathsep.join([str(folder), str(Path(sys.executable).parent), os.environ["PATH"]])
        self.environment = {**os.environ, SOCKET: str(socket), "PATH": path}

    def close(self) -> None:
        """End it and all that it runs."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGTERM)
        self._process.wait(30)
