"""TF Serving's REST API over a `ModelStore`: the same URLs, status codes and bodies.

Follows tensorflow_serving/model_servers/http_rest_api_handler.cc and http_rest_api_util.cc; what lies outside `/v1/` is
answered as its HTTP server (libevent) answers it.
"""

import asyncio
import json
import os
import re
import sys
import traceback
import zlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple
from urllib.parse import unquote

from google.protobuf.json_format import MessageToDict

from keras_ft.serving.json_answers import error_json, outputs_json, predictions_json
from keras_ft.serving.json_mismatch import type_text
from keras_ft.serving.json_tensors import parse_predict_request, signature_name_of
from keras_ft.serving.json_text import parse_object, to_text
from keras_ft.serving.models import ModelStore
from keras_ft.serving.signature import DEFAULT_SIGNATURE, Signature
from keras_ft.serving.status import HTTP_STATUS, StatusError, invalid

MAX_UNCOMPRESSED_BYTES = 100 * 1024 * 1024

_FLAGS = re.ASCII | re.IGNORECASE
_API = re.compile(r"/v1/.*", _FLAGS)
_POST = re.compile(r"/v1/models/([^/:]+)(?:/versions/(\d+)|/labels/([^/:]+))?:(classify|regress|predict)", _FLAGS)
_GET = re.compile(r"/v1/models(?:/([^/:]+))?(?:/versions/(\d+)|/labels/([^/:]+))?(?:/(metadata))?", _FLAGS)
_NOT_FOUND_PAGE = b"<HTML><HEAD>\n<TITLE>404 Not Found</TITLE>\n</HEAD><BODY>\n<H1>Not Found</H1>\n</BODY></HTML>\n"


class Answer(NamedTuple):
    """An HTTP answer."""

    status: int
    body: bytes
    content_type: str = "application/json"


class RestApi:
    """Answers REST requests from the models of a store; knows nothing of sockets."""

    def __init__(self, store: ModelStore):
        self.store = store

    def answer(self, method: str, target: str, body: bytes = b"") -> Answer:
        """Answer one request; never raises.

        Arguments:
            method: `GET`, `POST`, …
            target: path and query as they came, percent signs and all.
            body: the body, uncompressed.
        """
        if not _API.fullmatch(target):
            return Answer(404, _NOT_FOUND_PAGE, "text/html")
        try:
            return Answer(200, self._process(method, target, body))
        except StatusError as error:
            return Answer(HTTP_STATUS[error.code], error_json(error.message))
        except _BadVersionError:
            return Answer(400, b"")
        except RecursionError:
            return Answer(400, error_json("JSON Parse error: The document is nested too deeply."))
        except Exception as error:
            traceback.print_exc(file=sys.stderr)
            return Answer(500, error_json(f"{type(error).__name__}: {error}"))

    def _process(self, method: str, target: str, body: bytes) -> bytes:
        pattern = {"POST": _POST, "GET": _GET}.get(method)
        match = pattern.fullmatch(target) if pattern else None
        if match is None:
            raise invalid(f"Malformed request: {method} {target}")
        name, version_text, label, verb = match.groups()
        version = int(version_text) if version_text else None
        if version is not None and version >= 2**63:
            raise _BadVersionError
        name, label = unquote(name or ""), label and unquote(label)
        if method == "GET" and not name:
            raise invalid("Missing model name in request.")
        if method == "GET":
            return self._metadata(name, version, label) if verb == "metadata" else self._status(name, version)
        if verb == "predict":
            return self._predict(name, version, label, body)
        if verb in ("classify", "regress"):
            return self._classify_or_regress(verb, name, version, label, body)
        raise invalid(f"Malformed request: {method} {target}")  # the verb in capitals

    def _predict(self, name: str, version: int | None, label: str | None, body: bytes) -> bytes:
        def input_dtypes(signature_name: str) -> dict[str, str]:
            _, predictor = self.store.find(name, version, label)
            signature = predictor.signatures.get(signature_name or DEFAULT_SIGNATURE)
            if signature is None:
                raise invalid(
                    f'Serving signature name: "{signature_name or DEFAULT_SIGNATURE}" not found in signature def'
                )
            return {key: spec.dtype for key, spec in signature.inputs.items()}

        request = parse_predict_request(body, input_dtypes)
        _, predictor = self.store.find(name, version, label)
        outputs = predictor.predict(request.signature_name, request.inputs)
        return predictions_json(outputs) if request.rows else outputs_json(outputs)

    def _classify_or_regress(self, verb: str, name: str, version: int | None, label: str | None, body: bytes) -> bytes:
        request = parse_object(body)
        signature_name = signature_name_of(request) or DEFAULT_SIGNATURE
        _check_examples(request)
        _, predictor = self.store.find(name, version, label)
        signature = predictor.signatures.get(signature_name)
        if signature is None:
            raise invalid(f"No signature was found with the name: {signature_name}")
        _check_method(signature, verb)
        raise StatusError("UNIMPLEMENTED", f"{verb} is not served here; use the predict request")

    def _status(self, name: str, version: int | None) -> bytes:
        versions = [
            {
                "version": str(it.version),
                "state": it.state,
                "status": {"error_code": it.error_code, "error_message": it.error_message},
            }
            for it in self.store.statuses(name, version)
        ]
        return _proto_json({"model_version_status": versions})

    def _metadata(self, name: str, version: int | None, label: str | None) -> bytes:
        found, predictor = self.store.find(name, version, label)
        spec = {"name": found.name, "signature_name": "", "version": str(found.version)}
        definitions = {
            key: MessageToDict(it, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)
            for key, it in sorted(predictor.signature_defs.items())
        }
        parts = _proto_json(spec), _proto_json({"signature_def": definitions})
        return b'{\n"model_spec":%s,\n"metadata": {"signature_def": %s}\n}\n' % parts


def app(store: ModelStore):
    """The ASGI application that serves a store; models run in a thread pool, never on the event loop."""
    from starlette.requests import ClientDisconnect, Request
    from starlette.responses import Response
    from starlette.routing import Router

    api = RestApi(store)
    threads = ThreadPoolExecutor(4 * (os.cpu_count() or 1), "rest")

    async def serve(scope, receive, send) -> None:
        request = Request(scope, receive)
        try:
            body = await request.body()
        except ClientDisconnect:
            return
        query = scope["query_string"]
        target = (scope["raw_path"] + (b"?" + query if query else b"")).decode("latin-1")
        encoding = request.headers.get("content-encoding", "")

        def answer() -> Answer:
            return api.answer(scope["method"], target, _uncompressed(body) if "gzip" in encoding else body)

        found = await asyncio.get_running_loop().run_in_executor(threads, answer)
        headers = {"content-type": found.content_type}
        if found.content_type != "application/json":
            headers["connection"] = "close"
        await Response(found.body, found.status, headers)(scope, receive, send)

    return Router(default=serve, redirect_slashes=False)


class _BadVersionError(Exception):
    """A version beyond 64 bits, which TF Serving refuses with an empty body."""


def _check_examples(request: dict[str, Any]) -> None:
    if "context" in request:
        _check_example(request["context"])
    if "examples" not in request:
        raise invalid(
            f"JSON Value: {to_text(request)} When method is classify, key 'examples' is expected and was not found"
        )
    examples = request["examples"]
    if not isinstance(examples, list):
        raise invalid(f"JSON Value: {to_text(request)} Expecting 'examples' value to be an list/array")
    if not examples:
        raise invalid(f"JSON Value: {to_text(request)} 'examples' value is an empty array")
    for example in examples:
        _check_example(example)


def _check_example(example: Any) -> None:
    if not isinstance(example, dict):
        raise invalid(f"Example must be JSON object but got JSON {type_text(example)}")


def _check_method(signature: Signature, verb: str) -> None:
    method = f"tensorflow/serving/{verb}"
    if signature.method != method:
        kind = {"classify": "classification", "regress": "regression"}[verb]
        raise invalid(f"Expected {kind} signature method_name to be {method}. Was: {signature.method}")


def _proto_json(value: dict[str, Any]) -> bytes:
    return (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode("utf-8", "surrogateescape")


def _uncompressed(body: bytes) -> bytes:
    """The content of a gzip'd body; empty, as in TF Serving, if it is broken or larger than 100 MiB."""
    try:
        reader = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
        content = reader.decompress(body, MAX_UNCOMPRESSED_BYTES)
    except zlib.error:
        return b""
    return content if reader.eof else b""
