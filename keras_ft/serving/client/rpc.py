"""`GrpcClient`: TF Serving's gRPC API."""

import os
from typing import Any

from keras_ft.serving.client.asking import Asking
from keras_ft.serving.client.request import Request
from keras_ft.serving.client.retry import Deadline


class GrpcClient(Asking):
    """Asks a server, the embedded one or TF Serving, over gRPC: with the methods of `Client`, and arrays for lists.

    Making one imports TensorFlow. The first request to a model also asks for its signatures, so that numbers are sent
    as the types that it takes; a server that is not there is a `ServingError` with status 503.

    Arguments:
        address: `host:port`, or `https://host:port` for TLS.
        timeout, api_key, retries, batch_size: as for `Client`; the timeout is gRPC's deadline.
        ca_cert: a PEM file of those who may sign the server's certificate; with it, the channel speaks TLS.

    Raises:
        RequestError: the address or a number is wrong, or there is no such file.
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

        target, credentials = messages.RpcAddress.of(address, ca_cert)
        if credentials is None:
            self._channel = grpc.insecure_channel(target, messages.OPTIONS)
        else:
            self._channel = grpc.secure_channel(target, credentials, messages.OPTIONS)
        self._messages, self._failure = messages, grpc.RpcError
        self._stubs, self._signatures = messages.Stubs(self._channel), messages.Signatures()
        self._metadata = messages.metadata_of(api_key)

    def __enter__(self) -> "GrpcClient":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the channel."""
        self._channel.close()

    def _send(self, request: Request, deadline: Deadline) -> Any:
        if request.verb != "predict":
            return self._exchange(request, None, deadline)
        signature = self._signatures.of(request)
        if signature is None:
            asked = Request("metadata", request.model, request.version)
            self._signatures.learn(request, self._exchange(asked, None, deadline))
            signature = self._signatures.of(request)
        try:
            return self._exchange(request, signature, deadline)
        except self._messages.ServingError as error:
            if error.status == 400:
                self._signatures.forget(request)
            raise

    def _exchange(self, request: Request, signature: Any, deadline: Deadline) -> Any:
        message = self._messages.message_of(request, signature)
        try:
            response = self._stubs.of(request.verb)(message, timeout=deadline.left, metadata=self._metadata)
        except self._failure as error:
            raise self._messages.error_of(error) from None
        return self._messages.read_response(request, response)
