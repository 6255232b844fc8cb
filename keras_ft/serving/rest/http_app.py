"""The ASGI application: TF Serving's REST API, health, metrics, and what keeps a server safe from its clients."""

import asyncio
import re
import time
import uuid
import zlib
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from starlette.datastructures import Headers
from starlette.responses import Response

from keras_ft.serving.account import Watcher
from keras_ft.serving.api_keys import ApiKeys
from keras_ft.serving.models.store import ModelStore
from keras_ft.serving.rest.api import Answer, RestApi
from keras_ft.serving.rest.json_answers import error_json

MAX_UNCOMPRESSED_BYTES = 100 * 2**20
OPEN_PATHS = ("/livez", "/readyz")  # asked by those who have no key
_REQUEST_ID = re.compile(r"[\w.:-]{1,128}", re.ASCII)


@dataclass(frozen=True)
class Limits:
    """What a request may cost before it is looked at.

    Attributes:
        request_bytes: of a body, as it comes and unpacked.
        body_seconds: until a body is there.
    """

    request_bytes: int = MAX_UNCOMPRESSED_BYTES
    body_seconds: float = 60.0


class HttpApp:
    """Answers HTTP requests; models run on threads or in queues, never on the event loop.

    Arguments:
        store: the models.
        threads: for models without a queue, and for large texts.
        keys: who may ask; everyone where None.
        limits: of a request.
        watcher: is told of requests and answers.
        pages: further ones: path → what makes it, as plain text.
    """

    def __init__(
        self,
        store: ModelStore,
        threads: Executor,
        keys: ApiKeys | None = None,
        limits: Limits = Limits(),
        watcher: Watcher | None = None,
        pages: Mapping[str, Callable[[], bytes]] = MappingProxyType({}),
    ):
        self._store, self._keys, self._limits, self._pages = store, keys, limits, pages
        self._api = RestApi(store, threads, watcher)
        self.draining = False

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request of the ASGI protocol."""
        headers = Headers(scope=scope)
        given = headers.get("x-request-id", "")
        request_id = given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        try:
            answer = await self._answer(scope, headers, receive)
        except _GoneError:
            return
        sent = {"content-type": answer.content_type, "x-request-id": request_id, **answer.headers}
        if answer.content_type == "text/html":
            sent["connection"] = "close"
        await Response(answer.body, answer.status, sent)(scope, receive, send)

    async def _answer(self, scope: Any, headers: Headers, receive: Any) -> Answer:
        path, query = scope["raw_path"], scope["query_string"]
        target = (path + (b"?" + query if query else b"")).decode("latin-1")
        if scope["method"] in ("GET", "HEAD") and target in OPEN_PATHS:
            return self._health(target)
        if self._keys is not None and not self._keys.allow(headers.get("authorization"), headers.get("x-api-key")):
            refused = error_json("Missing or unknown API key; send it as 'Authorization: Bearer KEY'")
            return Answer(401, refused, headers={"www-authenticate": "Bearer"})
        if target in self._pages and scope["method"] == "GET":
            return Answer(200, self._pages[target](), "text/plain; version=0.0.4; charset=utf-8")
        body = await self._body(headers, receive)
        if isinstance(body, Answer):
            return body
        seconds = _seconds(headers.get("x-request-timeout"))
        deadline = None if seconds is None else time.monotonic() + seconds
        return await self._while_wanted(self._api.answer(scope["method"], target, body, deadline), receive, seconds)

    async def _while_wanted(self, answering: Awaitable[Answer], receive: Any, seconds: float | None) -> Answer:
        """Answer unless the client leaves or the time is up; what still waits in a queue is then dropped.

        Nobody watches for the client before something is waited for: a refusal under overload has to be cheap.
        """
        leaving: asyncio.Task | None = None

        async def leave() -> None:
            await _gone(receive)
            if not limit.expired():
                limit.reschedule(0)

        def watch() -> None:
            nonlocal leaving
            leaving = asyncio.ensure_future(leave())

        try:
            async with asyncio.timeout(seconds) as limit:
                watching = asyncio.get_running_loop().call_soon(watch)
                try:
                    return await answering
                finally:
                    watching.cancel()
        except TimeoutError:
            if leaving is not None and leaving.done():
                raise _GoneError from None
            return Answer(504, error_json("Deadline exceeded"))
        finally:
            if leaving is not None:
                leaving.cancel()

    def _health(self, target: str) -> Answer:
        if target == "/livez":
            return Answer(200, b"ok\n", "text/plain")
        if self.draining:
            return Answer(503, b"shutting down\n", "text/plain")
        missing = self._store.not_ready()
        if missing:
            return Answer(503, f"no version is available of: {', '.join(missing)}\n".encode(), "text/plain")
        return Answer(200, b"ok\n", "text/plain")

    async def _body(self, headers: Headers, receive: Any) -> bytes | Answer:
        """The body, unpacked; an answer where it is too large or does not come."""
        most = self._limits.request_bytes
        too_large = Answer(413, error_json(f"The request is larger than {most} bytes"), headers={"connection": "close"})
        length = headers.get("content-length", "")
        if length.isdecimal() and int(length) > most:
            return too_large
        parts, size, more = [], 0, True
        try:
            async with asyncio.timeout(self._limits.body_seconds):
                while more:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise _GoneError
                    part = message.get("body", b"")
                    parts.append(part)
                    size += len(part)
                    if size > most:
                        return too_large
                    more = message.get("more_body", False)
        except TimeoutError:
            return Answer(408, error_json("The request did not come in time"), headers={"connection": "close"})
        body = b"".join(parts)
        return _uncompressed(body, most) if "gzip" in headers.get("content-encoding", "") else body


class _GoneError(Exception):
    """The client has left."""


async def _gone(receive: Any) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _seconds(text: str | None) -> float | None:
    try:
        seconds = float(text or "")
    except ValueError:
        return None
    return seconds if 0 < seconds < 1e6 else None


def _uncompressed(body: bytes, most: int) -> bytes:
    """The content of a gzip'd body; empty, as in TF Serving, if it is broken or larger than the limit."""
    try:
        reader = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
        content = reader.decompress(body, most)
    except zlib.error:
        return b""
    return content if reader.eof else b""
