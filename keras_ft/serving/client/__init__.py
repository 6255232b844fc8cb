"""Clients of a server, the embedded one or TF Serving: REST and gRPC, plain and async.

All four have the methods of `asking.Asking`. None imports grpc, httpx, pandas or TensorFlow before it needs it.
"""

from keras_ft.serving.client.answers import Answer, Classification, Entity, Hit, Multilabel, Score, Written
from keras_ft.serving.client.errors import ServingError
from keras_ft.serving.client.rest import Client
from keras_ft.serving.client.rest_async import AsyncClient
from keras_ft.serving.client.rpc import GrpcClient
from keras_ft.serving.client.rpc_async import AsyncGrpcClient

__all__ = [
    "Answer",
    "AsyncClient",
    "AsyncGrpcClient",
    "Classification",
    "Client",
    "Entity",
    "GrpcClient",
    "Hit",
    "Multilabel",
    "Score",
    "ServingError",
    "Written",
]
