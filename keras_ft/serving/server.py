"""`serve`: load models, then answer TF Serving's REST and gRPC APIs until told to stop."""

import asyncio
import gc
import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, NamedTuple

from keras_ft.errors import RequestError
from keras_ft.paths import AnyPath
from keras_ft.serving.api_keys import ApiKeys
from keras_ft.serving.batching.parameters import BatchingParameters
from keras_ft.serving.batching.predictor import BatchingPredictor
from keras_ft.serving.listeners import bound_socket, url_of
from keras_ft.serving.loop_delay import LoopDelay
from keras_ft.serving.models.polling import Poller
from keras_ft.serving.models.store import ModelStore, ModelVersion
from keras_ft.serving.monitoring.observed import ObservedPredictor
from keras_ft.serving.options import ServerOptions
from keras_ft.serving.signature import Predictor

THREADS_PER_CORE = 4


class Started(NamedTuple):
    """Where a server answers, and from what."""

    url: str
    grpc_address: str | None
    store: ModelStore


def serve(
    model_folders: Iterable[AnyPath] = (),
    options: ServerOptions | None = None,
    ready: Callable[[Started], None] | None = None,
) -> None:
    """Serve models until SIGINT or SIGTERM; requests that are being answered then are answered first.

    Ports, files and folders are checked before any time is spent on loading. A version that cannot be loaded is
    reported (on stderr and by its status request); the rest are served.

    Arguments:
        model_folders: `MODELS/NAME` (its latest version) or `MODELS/NAME/N` (that version), in any mix.
        options: how; by default as `ServerOptions()` says.
        ready: called once as soon as requests are answered.

    Raises:
        RequestError: a folder is no model, a file is wrong, a port is in use, or the extra `serve` is not installed.
    """
    try:
        import grpc_health.v1  # noqa: F401
        import starlette  # noqa: F401
        import uvicorn  # noqa: F401

        from keras_ft.serving.monitoring.metrics import ServerMetrics
    except ModuleNotFoundError as error:
        names = {"grpc": "grpcio", "grpc_health": "grpcio-health-checking", "prometheus_client": "prometheus-client"}
        missing = names.get(error.name or "", error.name)
        raise RequestError(f'serving needs {missing}; install it with: pip install "keras-ft[serve]"') from None
    options = options or ServerOptions()
    options.check()
    keys = None if options.api_keys is None else ApiKeys(options.api_keys)
    batching = options.batching()
    monitoring = options.monitoring()
    configs = options.configs(model_folders)
    with bound_socket(options.host, options.rest_port, "--rest-port") as listener:
        if options.grpc_port:
            bound_socket(options.host, options.grpc_port, "--grpc-port").close()  # gRPC binds it itself
        metrics = ServerMetrics() if monitoring.enable else None
        delay = LoopDelay()
        store = ModelStore(configs, front=_front(batching, metrics, delay), tell=_tell, watcher=metrics)
        poller = Poller(
            store,
            options.poll_seconds,
            options.model_config_file,
            options.model_config_file_poll_seconds,
            _tell,
        )
        threads = ThreadPoolExecutor(THREADS_PER_CORE * (os.cpu_count() or 1), "inference")
        try:
            _spare_libraries_from_collections()
            store.update()
            running = _Running(store, options, keys, threads, metrics, monitoring.path, poller, delay)
            asyncio.run(_serve(running, listener, ready))
        finally:
            poller.stop()
            threads.shutdown(wait=False, cancel_futures=True)
            store.close()
            if metrics is not None:
                metrics.close()


def _spare_libraries_from_collections() -> None:
    """Import what models need, and freeze it: to collect what a dropped version leaves takes 1 ms then, not 0.4 s."""
    import tensorflow  # noqa: F401
    import tensorflow_text  # noqa: F401

    gc.collect()
    gc.freeze()


class _Running(NamedTuple):
    store: ModelStore
    options: ServerOptions
    keys: ApiKeys | None
    threads: ThreadPoolExecutor
    metrics: Any
    metrics_path: str
    poller: Poller
    delay: LoopDelay


async def _serve(running: _Running, listener: Any, ready: Callable[[Started], None] | None) -> None:
    from keras_ft.serving.rest.http_app import HttpApp, Limits
    from keras_ft.serving.rest.http_server import HttpServer
    from keras_ft.serving.rpc.server import start_grpc

    store, options, keys, threads, metrics, metrics_path, poller, delay = running
    pages = {} if metrics is None else {metrics_path: metrics.render}
    limits = Limits(options.max_request_bytes, options.body_seconds)
    app = HttpApp(store, threads, keys, limits, metrics, pages)
    http = HttpServer(app, options)
    scheme = "http" if options.tls_cert is None else "https"
    url = url_of(options.host, listener.getsockname()[1], scheme)
    rpc, address = None, None
    if options.grpc_port is not None:
        rpc, address = await start_grpc(store, options, keys, threads, metrics)
    stop = asyncio.Event()
    _stop_on_signals(stop)

    def started() -> None:
        poller.start()
        for name in store.names:
            print(f"{name}: {url}/v1/models/{name}", file=sys.stderr, flush=True)
        if ready is not None:
            ready(Started(url, address, store))

    async def end() -> None:
        await stop.wait()
        app.draining = True
        http.should_exit = True
        if rpc is not None:
            await rpc.stop(options.grace_seconds)

    ending, measuring = asyncio.create_task(end()), asyncio.create_task(delay.measure())
    try:
        await http.run_on(listener, started)
    finally:
        measuring.cancel()
        stop.set()
        await ending


def print_ready(started: Started) -> None:
    """Print one JSON object that says where the server listens and what it serves."""
    models = [
        {"name": it.name, "version": it.version, "state": it.state, "error_message": it.error_message}
        for it in started.store.versions()
    ]
    print(json.dumps({"url": started.url, "grpc": started.grpc_address, "models": models}), flush=True)


def _front(
    parameters: BatchingParameters | None, metrics: Any, delay: LoopDelay
) -> Callable[[ModelVersion, Predictor], Predictor]:
    """What stands before a version's predictor: a queue where one is wanted, and what counts its runs."""

    def front(version: ModelVersion, predictor: Predictor) -> Predictor:
        if parameters is None:
            return predictor if metrics is None else ObservedPredictor(predictor, metrics.observer(version.name))
        observer = None if metrics is None else metrics.observer(version.name, parameters.thread_pool_name)
        queue = BatchingPredictor(predictor, parameters, observer, lost_elsewhere=lambda: delay.seconds)
        if metrics is not None:
            metrics.queued(version.name, version.version, lambda: queue.queued_rows)
        return queue

    return front


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _stop_on_signals(stop: asyncio.Event) -> None:
    """Let SIGINT and SIGTERM end the server and nothing else."""
    if threading.current_thread() is not threading.main_thread():
        return
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(NotImplementedError):
            loop.add_signal_handler(number, stop.set)
