"""`ModelService` over a `ModelStore`: states of versions, and another configuration while the server runs.

Codes and texts follow get_model_status_impl.cc and model_service_impl.cc of tensorflow/serving.
"""

import asyncio
from concurrent.futures import Executor
from typing import Any

import grpc
from tensorflow_serving.apis import get_model_status_pb2, model_management_pb2, model_service_pb2_grpc

from keras_ft.serving.account import Watcher
from keras_ft.serving.models.config import configs_of_proto
from keras_ft.serving.models.store import STATES, ModelStore
from keras_ft.serving.rpc.answering import answers
from keras_ft.serving.status import invalid


class ModelService(model_service_pb2_grpc.ModelServiceServicer):
    """GetModelStatus and HandleReloadConfigRequest.

    Arguments:
        store: the models.
        threads: load what a new configuration asks for.
        watcher: is told of requests.
    """

    def __init__(self, store: ModelStore, threads: Executor, watcher: Watcher | None = None):
        self._store, self._threads, self.watcher = store, threads, watcher

    @answers
    async def GetModelStatus(self, request, context, account):
        """The state of each version, or of the one asked for."""
        spec = request.model_spec
        if not request.HasField("model_spec"):
            raise invalid("Missing ModelSpec")
        version = spec.version.value if spec.HasField("version") else None
        response = get_model_status_pb2.GetModelStatusResponse()
        for it in self._store.statuses(spec.name, version):
            status = response.model_version_status.add()
            status.version, status.state = it.version, 10 * (1 + STATES.index(it.state))
            status.status.error_code = grpc.StatusCode[it.error_code].value[0]
            status.status.error_message = it.error_message
        return response

    @answers
    async def HandleReloadConfigRequest(self, request, context, account):
        """Serve the models of another configuration from now on; answers when that is done."""
        configs = _listed(request.config)
        await asyncio.get_running_loop().run_in_executor(self._threads, self._store.reload, configs)
        return model_management_pb2.ReloadConfigResponse()


def _listed(config: Any) -> list:
    if config.WhichOneof("config") != "model_config_list":
        raise invalid(
            "ServerModelConfig type not supported by HandleReloadConfigRequest. "
            "Only ModelConfigList is currently supported"
        )
    try:
        return configs_of_proto(config)
    except ValueError as error:
        raise invalid(str(error)) from None
