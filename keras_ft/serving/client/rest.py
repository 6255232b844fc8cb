"""`Client`: TF Serving's REST API, with the standard library alone."""

import http.client
import os
import ssl
import threading
from typing import Any, NamedTuple

from keras_ft.serving.client.asking import Asking
from keras_ft.serving.client.errors import NoAnswerError
from keras_ft.serving.client.request import Request
from keras_ft.serving.client.rest_messages import RestAddress, headers_of, http_request, read_answer
from keras_ft.serving.client.retry import Deadline

PIECE = 2**20


class Client(Asking):
    """Asks a server, the embedded one or TF Serving, over REST.

    Each thread keeps a connection of its own; proxies of the environment are not used.

    Arguments:
        url: its root, such as `http://127.0.0.1:8501`.
        timeout: seconds for a whole call, its pauses and repetitions included; the server is told.
        api_key: sent as `Authorization: Bearer …`.
        retries: how often a request is sent again that the server was too busy for, or that did not reach it.
        ca_cert: a PEM file of those who may sign the server's certificate; by default the system's.
        batch_size: the most examples of one request of the typed methods.

    Raises:
        RequestError: the URL or a number is wrong, or there is no such file.
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
        self._address = RestAddress.of(url, ca_cert)
        self.url = self._address.url
        self._api_key = api_key
        self._kept = threading.local()

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close this thread's connection; the next request opens another. Those of other threads end with them."""
        connection = self._kept.__dict__.pop("connection", None)
        if connection is not None:
            connection.close()

    def _send(self, request: Request, deadline: Deadline) -> Any:
        sent = http_request(request)
        try:
            answer = self._exchange(sent.verb, self._address.path + sent.path, sent.body, deadline)
        except (http.client.HTTPException, OSError) as error:
            self.close()
            raise NoAnswerError(self.url, error or type(error).__name__) from None
        return read_answer(request, *answer)

    def _exchange(self, verb: str, path: str, body: bytes | None, deadline: Deadline) -> "_HttpAnswer":
        headers = headers_of(self._api_key, deadline)
        connection = getattr(self._kept, "connection", None)
        if connection is not None and connection.pid == os.getpid():
            try:
                return connection.exchange(verb, path, body, headers, deadline)
            except (http.client.RemoteDisconnected, ConnectionError):
                pass  # it was closed while it lay idle
        self.close()
        connection = self._kept.connection = _Connection(self._address)
        connection.open(deadline)
        return connection.exchange(verb, path, body, headers, deadline)


class _HttpAnswer(NamedTuple):
    status: int
    body: bytes
    retry_after: str | None


class _Connection:
    """A connection that stays open between requests, until the server or the thread ends."""

    def __init__(self, address: RestAddress):
        self.pid = os.getpid()  # a forked process must not go on with it
        self._url = address.url
        if address.tls is None:
            self._http = http.client.HTTPConnection(address.host, address.port)
        else:
            self._http = http.client.HTTPSConnection(address.host, address.port, context=address.tls)

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def open(self, deadline: Deadline) -> None:
        self._http.timeout = _seconds(deadline)
        try:
            self._http.connect()
        except ssl.SSLError as error:
            raise NoAnswerError(self._url, error) from None
        except OSError as error:
            raise NoAnswerError(self._url, error, is_unasked=True) from None

    def exchange(self, verb: str, path: str, body: bytes | None, headers: dict, deadline: Deadline) -> _HttpAnswer:
        socket = self._http.sock
        if socket is None:
            raise ConnectionError("the server closed the connection")
        socket.settimeout(_seconds(deadline))
        self._http.request(verb, path, body, headers)
        socket.settimeout(_seconds(deadline))
        with self._http.getresponse() as answer:
            pieces = []
            while piece := answer.read(PIECE):
                pieces.append(piece)
                if socket.fileno() >= 0:  # closed with the last piece, where the server wants no other request
                    socket.settimeout(_seconds(deadline))
            if answer.length:
                raise http.client.IncompleteRead(b"".join(pieces), answer.length)
            return _HttpAnswer(answer.status, b"".join(pieces), answer.headers["retry-after"])


def _seconds(deadline: Deadline) -> float:
    if not deadline.left:
        raise TimeoutError(f"timed out after {deadline.seconds:g} seconds")
    return deadline.left
