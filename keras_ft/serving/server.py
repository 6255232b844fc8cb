"""`serve`: load models, then answer TF Serving's REST API until told to stop."""

import errno
import json
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from keras_ft.errors import RequestError
from keras_ft.paths import AnyPath
from keras_ft.serving.models import ModelStore

KEEP_ALIVE_SECONDS = 50  # as libevent's HTTP server, which TF Serving runs on


def serve(
    model_folders: Iterable[AnyPath],
    host: str = "127.0.0.1",
    rest_port: int = 8501,
    ready: Callable[[str, ModelStore], None] | None = None,
) -> None:
    """Serve models until SIGINT or SIGTERM.

    Port and folders are checked before any time is spent on loading. A version that cannot be loaded is reported (on
    stderr and by its status request); the rest are served.

    Arguments:
        model_folders: `MODELS/NAME` (its latest version) or `MODELS/NAME/N` (that version), in any mix.
        host: the address to listen on; `0.0.0.0` for every one.
        rest_port: the port; 0 takes a free one.
        ready: called once with the server's URL and its models, as soon as requests are answered.

    Raises:
        RequestError: a folder is no model, the port is in use, or the extra `serve` is not installed.
    """
    try:
        import uvicorn

        from keras_ft.serving.rest import app
    except ModuleNotFoundError as error:
        if error.name not in ("uvicorn", "starlette"):
            raise
        raise RequestError(f'serving needs {error.name}; install it with: pip install "keras-ft[serve]"') from None

    store = ModelStore(model_folders)
    with _bound_socket(host, rest_port) as listener:
        port = listener.getsockname()[1]
        url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
        store.load()

        class Server(uvicorn.Server):
            async def startup(self, sockets=None) -> None:
                await super().startup(sockets)
                if self.started:
                    _report(store, url)
                    if ready is not None:
                        ready(url, store)

        config = uvicorn.Config(
            app(store),
            lifespan="off",
            ws="none",
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
        )
        server = Server(config)
        try:
            with _signals_stop(server):
                server.run(sockets=[listener])
        except OSError as error:
            raise _port_error(error, host, port) from error
        finally:
            store.close()


def print_ready(url: str, store: ModelStore) -> None:
    """Print one JSON object that says where the server listens and what it serves."""
    models = [
        {"name": it.name, "version": it.version, "state": it.state, "error_message": it.error_message}
        for it in store.versions()
    ]
    print(json.dumps({"url": url, "models": models}), flush=True)


def _bound_socket(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns Nagle's algorithm off (40 ms an answer) only where the protocol is named.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        # Without this, a port stays closed for a minute after a server on it ends.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except (OSError, OverflowError) as error:
        listener.close()
        raise _port_error(error, host, port) from error
    return listener


def _port_error(error: Exception, host: str, port: int) -> RequestError:
    number = getattr(error, "errno", None)
    if number == errno.EADDRINUSE:
        return RequestError(f"port {port} is in use; choose another with --rest-port")
    if number == errno.EACCES:
        return RequestError(f"port {port} needs more rights; choose one above 1023 with --rest-port")
    return RequestError(f"cannot listen on {host} port {port}: {error}; choose others with --host and --rest-port")


def _report(store: ModelStore, url: str) -> None:
    for it in store.versions():
        line = f"Serving {it.name} version {it.version} on {url}/v1/models/{it.name}"
        if it.state != "AVAILABLE":
            reason = " ".join(it.error_message.split())
            line = f"Not serving {it.name} version {it.version} ({it.folder}): {it.error_code}: {reason}"
        print(line, file=sys.stderr, flush=True)


@contextmanager
def _signals_stop(server) -> Iterator[None]:
    """Let SIGINT and SIGTERM end the server and nothing else: it raises them again when it has stopped."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(*_) -> None:
        server.should_exit = True

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
