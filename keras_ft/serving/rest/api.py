"""TF Serving's REST API over a `ModelStore`: the same URLs, status codes and bodies.

Follows tensorflow_serving/model_servers/http_rest_api_handler.cc and http_rest_api_util.cc; what lies outside `/v1/` is
answered as its HTTP server (libevent) answers it.
"""

import asyncio
import json
import math
import re
import sys
import traceback
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from types import MappingProxyType
from typing import Any, NamedTuple
from urllib.parse import unquote

import numpy as np
from google.protobuf.json_format import MessageToDict
from tensorflow_serving.apis.input_pb2 import Input

from keras_ft.serving.account import Account, Watcher, close_account
from keras_ft.serving.examples import classifications, regressions, serialized_examples
from keras_ft.serving.inference import Inference, signature_of
from keras_ft.serving.models.store import Lease, ModelStore
from keras_ft.serving.rest.json_answers import error_json, outputs_json, predictions_json
from keras_ft.serving.rest.json_examples import classifications_json, fill_input, regressions_json
from keras_ft.serving.rest.json_tensors import parse_predict_request, signature_name_of
from keras_ft.serving.rest.json_text import parse_object
from keras_ft.serving.signature import DEFAULT_SIGNATURE, Arrays
from keras_ft.serving.status import HTTP_STATUS, StatusError, invalid

SMALL_BYTES = 100_000  # parsed and printed within a few milliseconds

_FLAGS = re.ASCII | re.IGNORECASE
_API = re.compile(r"/v1/.*", _FLAGS)
_POST = re.compile(r"/v1/models/([^/:]+)(?:/versions/(\d+)|/labels/([^/:]+))?:(classify|regress|predict)", _FLAGS)
_GET = re.compile(r"/v1/models(?:/([^/:]+))?(?:/versions/(\d+)|/labels/([^/:]+))?(?:/(metadata))?", _FLAGS)
_NOT_FOUND_PAGE = b"<HTML><HEAD>\n<TITLE>404 Not Found</TITLE>\n</HEAD><BODY>\n<H1>Not Found</H1>\n</BODY></HTML>\n"


class Answer(NamedTuple):
    """An HTTP answer; `headers` come on top of the usual ones."""

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: Mapping[str, str] = MappingProxyType({})


class RestApi:
    """Answers REST requests from the models of a store; knows nothing of sockets.

    Arguments:
        store: the models.
        threads: parse and print what is large, and run models that have no queue.
        watcher: is told of requests and answers.
    """

    def __init__(self, store: ModelStore, threads: Executor, watcher: Watcher | None = None):
        self.store = store
        self._threads, self._watcher = threads, watcher
        self._inference = Inference(threads, watcher)

    async def answer(self, method: str, target: str, body: bytes = b"", deadline: float | None = None) -> Answer:
        """Answer one request; never raises.

        Arguments:
            method: `GET`, `POST`, …
            target: path and query as they came, percent signs and all.
            body: the body, uncompressed.
            deadline: on the clock of `time.monotonic`.
        """
        if not _API.fullmatch(target):
            return Answer(404, _NOT_FOUND_PAGE, "text/html")
        account, code = Account("REST", method), "CANCELLED"
        try:
            answer = Answer(200, await self._process(method, target, body, deadline, account))
            code = "OK"
            return answer
        except StatusError as error:
            code = error.code
            headers = {} if error.retry_after is None else {"retry-after": str(math.ceil(error.retry_after))}
            return Answer(HTTP_STATUS[error.code], error_json(error.message), headers=headers)
        except _BadVersionError:
            code = "INVALID_ARGUMENT"
            return Answer(400, b"")
        except RecursionError:
            code = "INVALID_ARGUMENT"
            return Answer(400, error_json("JSON Parse error: The document is nested too deeply."))
        except Exception as error:
            code = "INTERNAL"
            traceback.print_exc(file=sys.stderr)
            return Answer(500, error_json(f"{type(error).__name__}: {error}"))
        finally:
            close_account(self._watcher, account, code)

    async def _process(self, method: str, target: str, body: bytes, deadline: float | None, account: Account) -> bytes:
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
        account.model = name
        if method == "GET":
            return self._metadata(name, version, label) if verb == "metadata" else self._status(name, version)
        account.method = verb.capitalize()
        self._inference.check_room(self.store, account, version, label)
        asked = _Asked(name, version, label, body, deadline, account)
        if verb == "predict":
            return await self._predict(asked)
        if verb in ("classify", "regress"):
            return await self._classify_or_regress(verb, asked)
        raise invalid(f"Malformed request: {method} {target}")  # the verb in capitals

    async def _predict(self, asked: "_Asked") -> bytes:
        def input_dtypes(signature_name: str) -> dict[str, str]:
            with self.store.lease(asked.name, asked.version, asked.label) as lease:
                signature = lease.predictor.signatures.get(signature_name or DEFAULT_SIGNATURE)
            if signature is None:
                raise invalid(
                    f'Serving signature name: "{signature_name or DEFAULT_SIGNATURE}" not found in signature def'
                )
            return {key: spec.dtype for key, spec in signature.inputs.items()}

        request = await self._aside(len(asked.body), parse_predict_request, asked.body, input_dtypes)
        lease = self.store.lease(asked.name, asked.version, asked.label)
        outputs = await self._run(lease, request.signature_name, request.inputs, asked)
        to_json = predictions_json if request.rows else outputs_json
        return await self._aside(sum(array.nbytes for array in outputs.values()), to_json, outputs)

    async def _classify_or_regress(self, verb: str, asked: "_Asked") -> bytes:
        def parse() -> tuple[str, np.ndarray]:
            request = parse_object(asked.body)
            name, examples = signature_name_of(request), Input()
            fill_input(request, examples)
            return name, serialized_examples(examples)

        signature_name, examples = await self._aside(len(asked.body), parse)
        lease = self.store.lease(asked.name, asked.version, asked.label)
        try:
            signature = signature_of(lease, signature_name, verb)
        except StatusError:
            lease.release()
            raise
        outputs = await self._run(lease, signature.name, {"inputs": examples}, asked)
        if verb == "classify":
            return classifications_json(classifications(outputs, len(examples)))
        return regressions_json(regressions(outputs, len(examples)))

    async def _run(self, lease: Lease, signature_name: str, inputs: Arrays, asked: "_Asked") -> Arrays:
        return await self._inference.start(lease, signature_name, inputs, asked.account, asked.deadline)

    async def _aside(self, size: int, work: Callable[..., Any], *arguments: Any) -> Any:
        """Do work that may take long on a thread, so that other requests go on."""
        if size < SMALL_BYTES:
            return work(*arguments)
        return await asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)

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
        with self.store.lease(name, version, label) as lease:
            spec = {"name": name, "signature_name": "", "version": str(lease.version.version)}
            definitions = {
                key: MessageToDict(it, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)
                for key, it in sorted(lease.predictor.signature_defs.items())
            }
        parts = _proto_json(spec), _proto_json({"signature_def": definitions})
        return b'{\n"model_spec":%s,\n"metadata": {"signature_def": %s}\n}\n' % parts


class _Asked(NamedTuple):
    name: str
    version: int | None
    label: str | None
    body: bytes
    deadline: float | None
    account: Account


class _BadVersionError(Exception):
    """A version beyond 64 bits, which TF Serving refuses with an empty body."""


def _proto_json(value: dict[str, Any]) -> bytes:
    return (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode("utf-8", "surrogateescape")
