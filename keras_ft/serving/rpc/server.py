"""The gRPC server: all services on a port, with limits, API keys and TLS."""

from concurrent.futures import Executor
from typing import Any

import grpc
from grpc_health.v1 import health_pb2_grpc
from tensorflow_serving.apis import model_service_pb2_grpc, prediction_service_pb2_grpc

from keras_ft.serving.account import Watcher
from keras_ft.serving.api_keys import ApiKeys
from keras_ft.serving.listeners import port_error
from keras_ft.serving.models.store import ModelStore
from keras_ft.serving.options import ServerOptions
from keras_ft.serving.rpc.health import HealthService
from keras_ft.serving.rpc.model_management import ModelService
from keras_ft.serving.rpc.prediction import PredictionService

OPEN_SERVICE = "/grpc.health.v1.Health/"  # asked by those who have no key


async def start_grpc(
    store: ModelStore,
    options: ServerOptions,
    keys: ApiKeys | None,
    threads: Executor,
    watcher: Watcher | None = None,
) -> tuple[grpc.aio.Server, str]:
    """Start answering; returns the server and its address.

    Raises:
        RequestError: the port cannot be had.
    """
    server = grpc.aio.server(
        interceptors=[] if keys is None else [_Keys(keys)],
        options=[
            ("grpc.max_receive_message_length", options.max_request_bytes),
            ("grpc.max_send_message_length", -1),
            ("grpc.so_reuseport", 0),
        ],
    )
    prediction = PredictionService(store, threads, watcher)
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(prediction, server)
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(ModelService(store, threads, watcher), server)
    health_pb2_grpc.add_HealthServicer_to_server(HealthService(store), server)
    assert options.grpc_port is not None
    host = f"[{options.host}]" if ":" in options.host else options.host
    address = f"{host}:{options.grpc_port}"
    try:
        if options.tls_cert is not None and options.tls_key is not None:
            pair = options.tls_key.read_bytes(), options.tls_cert.read_bytes()
            port = server.add_secure_port(address, grpc.ssl_server_credentials([pair]))
        else:
            port = server.add_insecure_port(address)
    except RuntimeError as error:
        raise port_error(error, options.host, options.grpc_port, "--grpc-port") from None
    await server.start()
    return server, f"{host}:{port}"


class _Keys(grpc.aio.ServerInterceptor):
    """Refuses calls without a known API key."""

    def __init__(self, keys: ApiKeys):
        self._keys = keys

    async def intercept_service(self, continuation, details) -> Any:
        metadata = {key: value for key, value in details.invocation_metadata or () if isinstance(value, str)}
        is_open = details.method.startswith(OPEN_SERVICE)
        if is_open or self._keys.allow(metadata.get("authorization"), metadata.get("x-api-key")):
            return await continuation(details)
        return grpc.unary_unary_rpc_method_handler(_refuse)


async def _refuse(_, context) -> None:
    await context.abort(grpc.StatusCode.UNAUTHENTICATED, "Missing or unknown API key; send it as 'authorization'")
