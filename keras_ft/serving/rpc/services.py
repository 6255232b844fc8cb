"""TF Serving's gRPC services over a `ModelStore`, with its official stubs: prediction, models, and health.

Codes and texts follow predict_util.cc, classifier.cc, regressor.cc, multi_inference.cc, get_model_metadata_impl.cc,
get_model_status_impl.cc and model_service_impl.cc of tensorflow/serving.
"""

import asyncio
import functools
import sys
import time
import traceback
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    model_management_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
    regression_pb2,
)

from keras_ft.serving.account import Account, Watcher, close_account
from keras_ft.serving.examples import classifications, regressions, serialized_examples
from keras_ft.serving.inference import Inference, check_method, signature_of
from keras_ft.serving.models.config import configs_of_proto
from keras_ft.serving.models.store import STATES, Lease, ModelStore
from keras_ft.serving.rpc.tensor_protos import to_array, to_proto
from keras_ft.serving.signature import DEFAULT_SIGNATURE, Arrays
from keras_ft.serving.status import StatusError, invalid

METADATA_FIELD = "signature_def"
WATCH_SECONDS = 1.0
_Answered = tuple[Lease, str, Arrays, int]  # of a signature's name, and examples


def _answers(method: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """A method, given the account of its request, whose `StatusError`s become gRPC's."""

    @functools.wraps(method)
    async def answering(self, request, context):
        account, code, message = Account("GRPC", method.__name__), "CANCELLED", ""
        try:
            response = await method(self, request, context, account)
            code = "OK"
            return response
        except StatusError as error:
            code, message = error.code, error.message
        except Exception as error:
            traceback.print_exc(file=sys.stderr)
            code, message = "INTERNAL", f"{type(error).__name__}: {error}"
        finally:
            close_account(self.watcher, account, code)
        await context.abort(getattr(grpc.StatusCode, code), message)

    return answering


class PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):
    """Predict, Classify, Regress, MultiInference and GetModelMetadata.

    Arguments:
        store: the models.
        threads: run models that have no queue.
        watcher: is told of requests and answers.
    """

    def __init__(self, store: ModelStore, threads: Executor, watcher: Watcher | None = None):
        self._store, self.watcher = store, watcher
        self._inference = Inference(threads, watcher)

    @_answers
    async def Predict(self, request, context, account):
        """Named tensors in, named tensors out; those of `output_filter` alone, if it names any."""
        lease = self._lease(request.model_spec, account)
        with _released_if_it_fails(lease):
            name = request.model_spec.signature_name or DEFAULT_SIGNATURE
            signature = lease.predictor.signatures.get(name)
            if signature is None:
                raise StatusError("FAILED_PRECONDITION", f'Serving signature key "{name}" not found.')
            wanted = _filtered(list(request.output_filter), list(signature.outputs))
            inputs = {key: to_array(proto, key) for key, proto in request.inputs.items()}
            future = self._inference.start(lease, name, inputs, account, _deadline(context))
        outputs = await asyncio.wrap_future(future)
        response = predict_pb2.PredictResponse()
        _fill_spec(response.model_spec, lease, name)
        for key in wanted:
            response.outputs[key].CopyFrom(to_proto(outputs[key]))
        return response

    @_answers
    async def Classify(self, request, context, account):
        """`tf.Example`s in, classes out."""
        response = classification_pb2.ClassificationResponse()
        lease, name, outputs, count = await self._examples(request, "classify", context, account)
        _fill_classes(response.result, outputs, count)
        _fill_spec(response.model_spec, lease, name)
        return response

    @_answers
    async def Regress(self, request, context, account):
        """`tf.Example`s in, values out."""
        response = regression_pb2.RegressionResponse()
        lease, name, outputs, count = await self._examples(request, "regress", context, account)
        _fill_values(response.result, outputs, count)
        _fill_spec(response.model_spec, lease, name)
        return response

    @_answers
    async def MultiInference(self, request, context, account):
        """Several signatures of one model on the same `tf.Example`s."""
        names = [task.model_spec.name for task in request.tasks]
        if not all(names):
            raise invalid("Found ModelSpec with an empty model name.")
        if len(set(names)) > 1:
            raise invalid("All ModelSpecs in a MultiInferenceRequest must access the same model name.")
        signatures = [task.model_spec.signature_name or DEFAULT_SIGNATURE for task in request.tasks]
        twice = next((name for name in signatures if signatures.count(name) > 1), None)
        if twice is not None:
            raise invalid(f"Duplicate evaluation of signature: {twice}")
        if not request.tasks:
            return inference_pb2.MultiInferenceResponse()
        examples = serialized_examples(request.input)
        running = []
        for task, name in zip(request.tasks, signatures, strict=True):
            lease = self._lease(task.model_spec, account)
            with _released_if_it_fails(lease):
                signature = lease.predictor.signatures.get(name)
                if signature is None:
                    raise invalid(f"Requested signature not found in model graph: {name}")
                kind = task.method_name.rpartition("/")[2]
                if task.method_name not in ("tensorflow/serving/classify", "tensorflow/serving/regress"):
                    raise StatusError("UNIMPLEMENTED", f"Unsupported signature method_name: {task.method_name}")
                check_method(signature, kind)
                future = self._inference.start(lease, name, {"inputs": examples}, account, _deadline(context))
            running.append((lease, name, kind, asyncio.wrap_future(future)))
        response = inference_pb2.MultiInferenceResponse()
        found = await asyncio.gather(*(future for *_, future in running))
        for (lease, name, kind, _), outputs in zip(running, found, strict=True):
            result = response.results.add()
            if kind == "classify":
                _fill_classes(result.classification_result, outputs, len(examples))
            else:
                _fill_values(result.regression_result, outputs, len(examples))
            _fill_spec(result.model_spec, lease, name)
        return response

    @_answers
    async def GetModelMetadata(self, request, context, account):
        """The signatures of a model."""
        if not request.HasField("model_spec"):
            raise invalid("Missing ModelSpec")
        if not request.metadata_field:
            raise invalid("GetModelMetadataRequest must specify at least one metadata_field")
        for field in request.metadata_field:
            if field != METADATA_FIELD:
                raise invalid(f"Metadata field {field} is not supported")
        found = get_model_metadata_pb2.SignatureDefMap()
        response = get_model_metadata_pb2.GetModelMetadataResponse()
        with self._lease(request.model_spec, account) as lease:
            for name, definition in lease.predictor.signature_defs.items():
                found.signature_def[name].CopyFrom(definition)
            _fill_spec(response.model_spec, lease, "")
        response.metadata[METADATA_FIELD].Pack(found)
        return response

    async def _examples(
        self, request: Any, kind: str, context: Any, account: Account
    ) -> tuple[Lease, str, Arrays, int]:
        lease = self._lease(request.model_spec, account)
        with _released_if_it_fails(lease):
            signature = signature_of(lease, request.model_spec.signature_name, kind)
            examples = serialized_examples(request.input)
            start = self._inference.start
            future = start(lease, signature.name, {"inputs": examples}, account, _deadline(context))
        return lease, signature.name, await asyncio.wrap_future(future), len(examples)

    def _lease(self, spec: Any, account: Account) -> Lease:
        account.model, account.signature = spec.name, spec.signature_name
        if not spec.name:
            raise invalid("ModelSpec has no name specified.")
        choice = spec.WhichOneof("version_choice")
        version = spec.version.value if choice == "version" else None
        return self._store.lease(spec.name, version, spec.version_label if choice == "version_label" else None)


class ModelService(model_service_pb2_grpc.ModelServiceServicer):
    """GetModelStatus and HandleReloadConfigRequest.

    Arguments:
        store: the models.
        threads: load what a new configuration asks for.
        watcher: is told of requests.
    """

    def __init__(self, store: ModelStore, threads: Executor, watcher: Watcher | None = None):
        self._store, self._threads, self.watcher = store, threads, watcher

    @_answers
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

    async def HandleReloadConfigRequest(self, request, context):
        """Serve the models of another configuration from now on; answers when that is done."""
        response = model_management_pb2.ReloadConfigResponse()
        try:
            configs = _listed(request.config)
            await asyncio.get_running_loop().run_in_executor(self._threads, self._store.reload, configs)
        except StatusError as error:
            await context.abort(getattr(grpc.StatusCode, error.code), error.message)
        return response


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


SERVICES = ("tensorflow.serving.PredictionService", "tensorflow.serving.ModelService")


def add_services(server: grpc.aio.Server, store: ModelStore, threads: Executor, watcher: Watcher | None) -> None:
    """Add all three services to a server."""
    prediction = PredictionService(store, threads, watcher)
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(prediction, server)
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(ModelService(store, threads, watcher), server)
    health_pb2_grpc.add_HealthServicer_to_server(HealthService(store), server)


@contextmanager
def _released_if_it_fails(lease: Lease) -> Iterator[None]:
    """A request that was started releases its lease itself."""
    try:
        yield
    except BaseException:
        lease.release()
        raise


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


def _filtered(asked: list[str], there: list[str]) -> list[str]:
    for alias in asked:
        if alias not in there:
            raise invalid(
                f"output tensor alias not found in signature: {alias} "
                f"Outputs expected to be in the set {{{','.join(sorted(there))}}}."
            )
        if asked.count(alias) > 1:
            raise invalid(f"duplicate output tensor alias: {alias}")
    return asked or there


def _fill_spec(spec: Any, lease: Lease, signature_name: str) -> None:
    spec.name, spec.signature_name = lease.version.name, signature_name
    spec.version.value = lease.version.version


def _fill_classes(result: Any, outputs: Arrays, count: int) -> None:
    for row in classifications(outputs, count):
        classes = result.classifications.add().classes
        for label, score in row:
            classes.add(label=label.decode("utf-8", "replace"), score=score)


def _fill_values(result: Any, outputs: Arrays, count: int) -> None:
    for value in regressions(outputs, count).tolist():
        result.regressions.add(value=value)


def _deadline(context: Any) -> float | None:
    remaining = context.time_remaining()
    return None if remaining is None else time.monotonic() + remaining
