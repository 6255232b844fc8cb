"""The embedded server: TF Serving's API on the same SavedModel folders, and clients for both.

`server.serve` runs it, `background.BackgroundServer` runs it in a child process, `Client`, `AsyncClient`, `GrpcClient`
and `AsyncGrpcClient` ask it.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from keras_ft.serving.client import AsyncClient, AsyncGrpcClient, Client, GrpcClient, ServingError

__all__ = ["AsyncClient", "AsyncGrpcClient", "Client", "GrpcClient", "ServingError"]


def __getattr__(name: str) -> Any:
    """The clients, when they are asked for: the server needs none of them."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import keras_ft.serving.client as client

    return getattr(client, name)
