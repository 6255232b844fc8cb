"""Requests and answers as TF Serving's gRPC API has them, whoever sends them.

Its stubs import TensorFlow, so that whoever imports this module does it when a client is made.
"""

import os
from collections.abc import Mapping
from typing import Any, NamedTuple

import grpc
import numpy as np
import tensorflow as tf
from google.protobuf.json_format import MessageToDict
from tensorflow.core.framework import types_pb2
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from keras_ft.errors import RequestError
from keras_ft.serving.client.errors import ServingError
from keras_ft.serving.client.frames import signature_of
from keras_ft.serving.client.request import Columns, Request
from keras_ft.serving.client.rest_messages import tls_context
from keras_ft.serving.rpc.tensor_protos import to_proto
from keras_ft.serving.signature import DEFAULT_SIGNATURE
from keras_ft.serving.status import HTTP_STATUS

OPTIONS = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


class Stubs:
    """The methods of a channel, plain or async: each is called with a message, `timeout` and `metadata`."""

    def __init__(self, channel: Any):
        self._predictions = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        self._models = model_service_pb2_grpc.ModelServiceStub(channel)

    def of(self, verb: str) -> Any:
        """That of a request."""
        return {
            "predict": self._predictions.Predict,
            "metadata": self._predictions.GetModelMetadata,
            "status": self._models.GetModelStatus,
        }[verb]


class RpcAddress(NamedTuple):
    """Where a server is; `credentials` is None where nothing is encrypted."""

    target: str
    credentials: Any

    @classmethod
    def of(cls, address: str, ca_cert: str | os.PathLike[str] | None) -> "RpcAddress":
        """From `host:port`, or `https://host:port` for TLS; raises `RequestError`."""
        scheme, _, target = address.rstrip("/").rpartition("://")
        if scheme not in ("", "http", "https") or "/" in target or not target.rpartition(":")[2].isdecimal():
            raise RequestError(f"the address should be like localhost:8500, given {address!r}")
        if ca_cert is None:
            return cls(target, grpc.ssl_channel_credentials() if scheme == "https" else None)
        tls_context(ca_cert)
        with open(ca_cert, "rb") as file:
            return cls(target, grpc.ssl_channel_credentials(file.read()))


def message_of(request: Request, signature: Mapping[str, Any] | None = None) -> Any:
    """A request as a proto.

    Arguments:
        request: what is asked.
        signature: of a predict request, for the names and types of its inputs, as `metadata` gives it.

    Raises:
        RequestError: the inputs do not fit the signature.
    """
    message = {
        "predict": predict_pb2.PredictRequest,
        "metadata": get_model_metadata_pb2.GetModelMetadataRequest,
        "status": get_model_status_pb2.GetModelStatusRequest,
    }[request.verb]()
    message.model_spec.name = request.model
    if request.version is not None:
        message.model_spec.version.value = request.version
    if request.verb == "metadata":
        message.metadata_field.append("signature_def")
    if request.verb == "predict":
        assert signature is not None
        message.model_spec.signature_name = request.signature_name or DEFAULT_SIGNATURE
        specs = signature["inputs"]
        for name, column in _columns(request, specs).items():
            message.inputs[name].CopyFrom(to_proto(_array(column, specs[name]["dtype"], name)))
    return message


def read_response(request: Request, response: Any) -> Any:
    """What the caller wanted to know, as the REST API says it but for arrays."""
    if request.verb == "status":
        found = MessageToDict(response, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)
        return found["model_version_status"]
    if request.verb == "metadata":
        signatures = get_model_metadata_pb2.SignatureDefMap()
        response.metadata["signature_def"].Unpack(signatures)
        return {
            name: MessageToDict(it, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)
            for name, it in sorted(signatures.signature_def.items())
        }
    outputs = {name: _decoded(tf.make_ndarray(proto), name) for name, proto in sorted(response.outputs.items())}
    if request.instances is not None:
        columns = {name: array.tolist() for name, array in outputs.items()}
        rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
        return rows if len(columns) > 1 else next(iter(columns.values()))
    return outputs if len(outputs) > 1 else next(iter(outputs.values()))


def error_of(error: Any) -> ServingError:
    """What the server, or the channel, said."""
    status = HTTP_STATUS.get(error.code().name, 500)
    return ServingError(status, error.details() or error.code().name)


def metadata_of(api_key: str | None) -> list[tuple[str, str]]:
    """What every call carries."""
    return [] if api_key is None else [("authorization", f"Bearer {api_key}")]


class Signatures:
    """Those of the models that were asked before: they say how inputs are named and typed."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, int | None], Mapping[str, Any]] = {}

    def of(self, request: Request) -> Mapping[str, Any] | None:
        """That of a predict request, if it is known; raises `RequestError` where the model has none such."""
        known = self._known.get((request.model, request.version))
        return None if known is None else signature_of(known, request.model, request.signature_name)

    def learn(self, request: Request, metadata: Mapping[str, Any]) -> None:
        """Keep a model's metadata."""
        self._known[request.model, request.version] = metadata

    def forget(self, request: Request) -> None:
        """The model may be another by now."""
        self._known.pop((request.model, request.version), None)


def _columns(request: Request, specs: Mapping[str, Any]) -> Columns:
    if request.instances is not None:
        rows = list(request.instances)
        named = bool(rows) and isinstance(rows[0], Mapping)
        inputs = {name: [row[name] for row in rows] for name in rows[0]} if named else rows
    else:
        inputs = request.inputs
    if not isinstance(inputs, Mapping):
        if len(specs) != 1:
            raise RequestError(f"{request.model} takes {', '.join(sorted(specs))}; name them")
        return {next(iter(specs)): inputs}
    if set(inputs) != set(specs):
        told = ", ".join(sorted(inputs))
        raise RequestError(f"{request.model} takes {', '.join(sorted(specs))}; given {told}")
    return inputs


def _array(column: Any, dtype: str, name: str) -> np.ndarray:
    wanted = tf.as_dtype(types_pb2.DataType.Value(dtype))
    try:
        if wanted != tf.string:
            return np.asarray(column, wanted.as_numpy_dtype)
        texts = np.asarray(column, object)
        encoded = [text.encode() if isinstance(text, str) else text for text in texts.ravel()]
    except (ValueError, TypeError):
        raise RequestError(f"{name} should be of {wanted.name}, and rectangular") from None
    wrong = next((text for text in encoded if not isinstance(text, bytes)), None)
    if wrong is not None:
        raise RequestError(f"{name} should be of texts, given {wrong!r}")
    flat = np.empty(len(encoded), object)
    flat[:] = encoded
    return flat.reshape(texts.shape)


def _decoded(array: np.ndarray, name: str) -> np.ndarray:
    """Strings as `str`, but for outputs whose names say that they are bytes."""
    if array.dtype != object or name.endswith("_bytes"):
        return array
    texts = np.empty(array.shape, object)
    for place, text in np.ndenumerate(array):
        texts[place] = text.decode("utf-8", "replace")
    return texts
