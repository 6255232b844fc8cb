"""The standard health service (grpc.health.v1) over a `ModelStore`."""

import asyncio

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from keras_ft.serving.models.store import ModelStore

SERVICES = ("tensorflow.serving.PredictionService", "tensorflow.serving.ModelService")
WATCH_SECONDS = 1.0


class HealthService(health_pb2_grpc.HealthServicer):
    """The standard health service: serving when every model has an available version."""

    def __init__(self, store: ModelStore):
        self._store = store

    async def Check(self, request, context):
        """Of the server (""), of a service, or of a model by its name."""
        status = self._status(request.service)
        if status == health_pb2.HealthCheckResponse.SERVICE_UNKNOWN:
            await context.abort(grpc.StatusCode.NOT_FOUND, f"unknown service {request.service}")
        return health_pb2.HealthCheckResponse(status=status)

    async def Watch(self, request, context):
        """The state now and whenever it changes."""
        last = None
        while True:
            status = self._status(request.service)
            if status != last:
                last = status
                yield health_pb2.HealthCheckResponse(status=status)
            await asyncio.sleep(WATCH_SECONDS)

    def _status(self, service: str) -> int:
        states = health_pb2.HealthCheckResponse
        not_ready = self._store.not_ready()
        if service in self._store.names:
            return states.NOT_SERVING if service in not_ready else states.SERVING
        if service not in ("", *SERVICES):
            return states.SERVICE_UNKNOWN
        return states.NOT_SERVING if not_ready else states.SERVING
