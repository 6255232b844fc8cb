"""`PredictionService` over a `ModelStore`, with TF Serving's official stubs.

Codes and texts follow predict_util.cc, classifier.cc, regressor.cc, multi_inference.cc and get_model_metadata_impl.cc
of tensorflow/serving.
"""

import asyncio
import time
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from typing import Any

from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    inference_pb2,
    predict_pb2,
    prediction_service_pb2_grpc,
    regression_pb2,
)

from keras_ft.serving.account import Account, Watcher
from keras_ft.serving.examples import classifications, regressions, serialized_examples
from keras_ft.serving.inference import Inference, check_method, signature_of
from keras_ft.serving.models.store import Lease, ModelStore
from keras_ft.serving.rpc.answering import answers
from keras_ft.serving.rpc.tensor_protos import to_array, to_proto
from keras_ft.serving.signature import DEFAULT_SIGNATURE, Arrays
from keras_ft.serving.status import StatusError, invalid

METADATA_FIELD = "signature_def"


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

    @answers
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
        outputs = await future
        response = predict_pb2.PredictResponse()
        _fill_spec(response.model_spec, lease, name)
        for key in wanted:
            response.outputs[key].CopyFrom(to_proto(outputs[key]))
        return response

    @answers
    async def Classify(self, request, context, account):
        """`tf.Example`s in, classes out."""
        response = classification_pb2.ClassificationResponse()
        return await self._answer_examples(request, response, "classify", context, account)

    @answers
    async def Regress(self, request, context, account):
        """`tf.Example`s in, values out."""
        response = regression_pb2.RegressionResponse()
        return await self._answer_examples(request, response, "regress", context, account)

    @answers
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
            running.append((lease, name, kind, future))
        response = inference_pb2.MultiInferenceResponse()
        found = await asyncio.gather(*(future for *_, future in running))
        for (lease, name, kind, _), outputs in zip(running, found, strict=True):
            result = response.results.add()
            of_kind = result.classification_result if kind == "classify" else result.regression_result
            _FILL[kind](of_kind, outputs, len(examples))
            _fill_spec(result.model_spec, lease, name)
        return response

    @answers
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

    async def _answer_examples(self, request: Any, response: Any, kind: str, context: Any, account: Account) -> Any:
        lease = self._lease(request.model_spec, account)
        with _released_if_it_fails(lease):
            name = signature_of(lease, request.model_spec.signature_name, kind).name
            examples = serialized_examples(request.input)
            future = self._inference.start(lease, name, {"inputs": examples}, account, _deadline(context))
        _FILL[kind](response.result, await future, len(examples))
        _fill_spec(response.model_spec, lease, name)
        return response

    def _lease(self, spec: Any, account: Account) -> Lease:
        account.model, account.signature = spec.name, spec.signature_name
        if not spec.name:
            raise invalid("ModelSpec has no name specified.")
        choice = spec.WhichOneof("version_choice")
        version = spec.version.value if choice == "version" else None
        return self._store.lease(spec.name, version, spec.version_label if choice == "version_label" else None)


@contextmanager
def _released_if_it_fails(lease: Lease) -> Iterator[None]:
    """A request that was started releases its lease itself."""
    try:
        yield
    except BaseException:
        lease.release()
        raise


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


_FILL = {"classify": _fill_classes, "regress": _fill_values}


def _deadline(context: Any) -> float | None:
    remaining = context.time_remaining()
    return None if remaining is None else time.monotonic() + remaining
