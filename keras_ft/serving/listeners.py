"""Sockets: bound before anything is loaded, so that a port in use is told at once."""

import errno
import socket

from keras_ft.errors import RequestError


def bound_socket(host: str, port: int, flag: str) -> socket.socket:
    """A TCP socket that is bound, and listens nowhere yet.

    Args:
        host: an address of this machine.
        port: 0 takes a free one.
        flag: of the port, for the error.

    Raises:
        RequestError: it cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns Nagle's algorithm off (40 ms an answer) only where the protocol is named.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        # Without this, a port stays closed for a minute after a server on it ends.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except (OSError, OverflowError) as error:
        listener.close()
        raise port_error(error, host, port, flag) from error
    return listener


def port_error(error: Exception, host: str, port: int, flag: str) -> RequestError:
    """What to tell a user about a port."""
    number = getattr(error, "errno", None)
    if number == errno.EADDRINUSE:
        return RequestError(f"port {port} is in use; choose another with {flag}")
    if number == errno.EACCES:
        return RequestError(f"port {port} needs more rights; choose one above 1023 with {flag}")
    return RequestError(f"cannot listen on {host} port {port}: {error}; choose others with --host and {flag}")


def url_of(host: str, port: int, scheme: str) -> str:
    """Where a server is reached."""
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"
