"""Forks into commands: `python forker.py SOCKET`."""

import gc
import json
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress

from keras_ft.startup import start_quickly

os.environ["KERAS_BACKEND"], os.environ["TF_CPP_MIN_LOG_LEVEL"] = "tensorflow", "3"
start_quickly()

import keras_hub  # noqa: E402, F401
import tensorflow as tf  # noqa: E402, F401
import tensorflow_text  # noqa: E402, F401


def command() -> Callable[[], None]:
    """Fork for each that is asked for; returns in the process that is to run it, with what to run."""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(sys.argv[1] + ".new")
        listening.listen(64)
        os.rename(sys.argv[1] + ".new", sys.argv[1])
        while True:
            connection, _ = listening.accept()
            if os.fork() == 0:
                listening.close()
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                return asked(connection)
            connection.close()


def asked(connection: socket.socket) -> Callable[[], None]:
    """What to run, in a child of this process, which waits for it and tells its code, or ends it with its asker."""
    message, streams, *_ = socket.recv_fds(connection, 1 << 20, 3)
    while part := connection.recv(1 << 20):
        message += part
    child = os.fork()
    if child:
        keep(child, connection)
    connection.close()
    for place, stream in enumerate(streams):
        os.dup2(stream, place)
        os.close(stream)
    request = json.loads(message)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.argv = [request["name"], *request["arguments"]]
    return run_command if request["name"] == "keras-ft" else run_python


def keep(child: int, connection: socket.socket) -> None:
    """Wait for the child; its asker can only go."""
    connection.settimeout(0)
    while os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        if asker_is_gone(connection):
            os.kill(child, signal.SIGTERM)
            break
        time.sleep(0.02)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    with suppress(OSError):
        connection.send(str(code if code >= 0 else 128 - code).encode())
    os._exit(0)


def asker_is_gone(connection: socket.socket) -> bool:
    """Whether nobody waits any more."""
    poll = select.poll()
    poll.register(connection, select.POLLHUP)
    return any(event & select.POLLHUP for _, event in poll.poll(0))


def run_command() -> None:
    """`keras-ft …`."""
    from keras_ft.cli import main

    main()


def run_python() -> None:
    """`python -`, as `__main__`."""
    code = compile(sys.stdin.read(), "<stdin>", "exec")
    sys.path[0] = ""
    exec(code, sys.modules["__main__"].__dict__)


gc.collect()
gc.freeze()
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
command()()
