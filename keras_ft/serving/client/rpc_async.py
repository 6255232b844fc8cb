"""`AsyncGrpcClient`: TF Serving's gRPC API with coroutines."""

import os
from typing import Any

from keras_ft.serving.client.asking_async import AsyncAsking
from keras_ft.serving.client.request import Request
from keras_ft.serving.client.retry import Deadline


class AsyncGrpcClient(AsyncAsking):
    """`GrpcClient` with coroutines; all of one event loop.

    Arguments:
        address, timeout, api_key, retries, ca_cert, batch_size: as for `GrpcClient`.

    Raises:
        RequestError: as `GrpcClient`.
    """

    def __init__(
        self,
        address: str,
        timeout: float = 60.0,
        api_key: str | None = None,
        retries: int = 3,
        ca_cert: str | os.PathLike[str] | None = None,
        batch_size: int = 64,
    ):
        super().__init__(timeout, retries, batch_size)
        import grpc

        from keras_ft.serving.client import rpc_messages as messages

        self._address = messages.RpcAddress.of(address, ca_cert)
        self._grpc, self._messages = grpc, messages
        self._channel: Any = None  # made in the loop that it belongs to
        self._stubs: Any = None
        self._signatures = messages.Signatures()
        self._metadata = messages.metadata_of(api_key)

    async def __aenter__(self) -> "AsyncGrpcClient":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the channel."""
        if self._channel is not None:
            await self._channel.close()

    async def _send(self, request: Request, deadline: Deadline) -> Any:
        if request.verb != "predict":
            return await self._exchange(request, None, deadline)
        signature = self._signatures.of(request)
        if signature is None:
            asked = Request("metadata", request.model, request.version)
            self._signatures.learn(request, await self._exchange(asked, None, deadline))
            signature = self._signatures.of(request)
        try:
            return await self._exchange(request, signature, deadline)
        except self._messages.ServingError as error:
            if error.status == 400:
                self._signatures.forget(request)
            raise

    async def _exchange(self, request: Request, signature: Any, deadline: Deadline) -> Any:
        if self._channel is None:
            self._open()
        message = self._messages.message_of(request, signature)
        try:
            response = await self._stubs.of(request.verb)(message, timeout=deadline.left, metadata=self._metadata)
        except self._grpc.aio.AioRpcError as error:
            raise self._messages.error_of(error) from None
        return self._messages.read_response(request, response)

    def _open(self) -> None:
        target, credentials = self._address
        if credentials is None:
            self._channel = self._grpc.aio.insecure_channel(target, self._messages.OPTIONS)
        else:
            self._channel = self._grpc.aio.secure_channel(target, credentials, self._messages.OPTIONS)
        self._stubs = self._messages.Stubs(self._channel)
