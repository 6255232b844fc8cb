"""The HTTP server under the application: uvicorn, with an end to those who never finish their request's head."""

import asyncio
import socket
from collections.abc import Callable
from typing import Any

import uvicorn
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from keras_ft.serving.options import ServerOptions

KEEP_ALIVE_SECONDS = 50  # as libevent's HTTP server, which TF Serving runs on


class HttpServer(uvicorn.Server):
    """Runs an ASGI application on a bound socket, in a loop that others share.

    Arguments:
        app: the application.
        options: of the server.
    """

    def __init__(self, app: Any, options: ServerOptions):
        super().__init__(
            uvicorn.Config(
                app,
                http=_protocol(options.head_seconds),
                lifespan="off",
                ws="none",
                log_level="warning",
                access_log=False,
                proxy_headers=False,
                server_header=False,
                timeout_keep_alive=KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=max(1, round(options.grace_seconds)),
                ssl_certfile=options.tls_cert,
                ssl_keyfile=options.tls_key,
            )
        )

    async def run_on(self, listener: socket.socket, started: Callable[[], None]) -> None:
        """Answer until `should_exit` is set; `started` is called once, when answers come."""
        self._told = started
        await self._serve(sockets=[listener])  # `serve` would take the signals, too

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen."""
        await super().startup(sockets)
        if self.started:
            self._told()


def _protocol(head_seconds: float) -> type[asyncio.Protocol]:
    """uvicorn's protocol, which closes a connection that has no whole head of a request in time (slow-loris)."""

    class Protocol(AutoHTTPProtocol):  # type: ignore[misc,valid-type]
        _closing: asyncio.TimerHandle | None = None

        def connection_made(self, transport) -> None:
            super().connection_made(transport)
            self._watch()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            self._watch()

        def connection_lost(self, error) -> None:
            self._rest()
            super().connection_lost(error)

        def _watch(self) -> None:
            if self.cycle is not None and not self.cycle.response_complete:
                self._rest()  # the head is there, and is being answered
            elif self._closing is None:
                self._closing = self.loop.call_later(head_seconds, self.transport.close)

        def _rest(self) -> None:
            if self._closing is not None:
                self._closing.cancel()
                self._closing = None

    return Protocol
