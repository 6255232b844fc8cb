"""`AsyncClient`: TF Serving's REST API with coroutines, over httpx."""

import asyncio
import os
from typing import Any

from keras_ft.errors import RequestError
from keras_ft.serving.client.asking_async import AsyncAsking
from keras_ft.serving.client.errors import NoAnswerError
from keras_ft.serving.client.request import Request
from keras_ft.serving.client.rest_messages import RestAddress, headers_of, http_request, read_answer
from keras_ft.serving.client.retry import Deadline


class AsyncClient(AsyncAsking):
    """`Client` with coroutines; all of one event loop.

    ```python
    async with AsyncClient("http://127.0.0.1:8501") as client:
        answers = await client.classify("comments", ["Where is it?"])
    ```

    Arguments:
        url, timeout, api_key, retries, ca_cert, batch_size: as for `Client`.

    Raises:
        RequestError: as `Client`, or httpx is not installed.
    """

    def __init__(
        self,
        url: str,
        timeout: float = 60.0,
        api_key: str | None = None,
        retries: int = 3,
        ca_cert: str | os.PathLike[str] | None = None,
        batch_size: int = 64,
    ):
        super().__init__(timeout, retries, batch_size)
        address = RestAddress.of(url, ca_cert)
        self.url, self._api_key = address.url, api_key
        try:
            import httpx
        except ImportError:
            raise RequestError('AsyncClient needs httpx; pip install "keras-ft[client]"') from None
        self._httpx = httpx
        self._http = httpx.AsyncClient(verify=address.tls or True, timeout=None, trust_env=False)

    async def __aenter__(self) -> "AsyncClient":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    async def _send(self, request: Request, deadline: Deadline) -> Any:
        sent = http_request(request)
        headers = headers_of(self._api_key, deadline)
        try:
            async with asyncio.timeout(deadline.left):
                answer = await self._http.request(sent.verb, self.url + sent.path, content=sent.body, headers=headers)
        except TimeoutError:
            raise NoAnswerError(self.url, f"timed out after {deadline.seconds:g} seconds") from None
        except self._httpx.TransportError as error:
            is_unasked = isinstance(error, self._httpx.ConnectError)
            raise NoAnswerError(self.url, str(error) or type(error).__name__, is_unasked) from None
        return read_answer(request, answer.status_code, answer.content, answer.headers.get("retry-after"))
