"""What every method of a service does around its answer: it keeps account, and says what went wrong as gRPC does."""

import functools
import sys
import traceback
from collections.abc import Awaitable, Callable
from typing import Any

import grpc

from keras_ft.serving.account import Account, close_account
from keras_ft.serving.status import StatusError


def answers(method: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """A method, given the account of its request, whose `StatusError`s become gRPC's."""

    @functools.wraps(method)
    async def answering(self, request, context):
        account, code, message = Account("GRPC", method.__name__), "CANCELLED", ""
        try:
            response = await method(self, request, context, account)
            code = "OK"
            return response
        except StatusError as error:
            code, message = error.code, error.message
        except Exception as error:
            traceback.print_exc(file=sys.stderr)
            code, message = "INTERNAL", f"{type(error).__name__}: {error}"
        finally:
            close_account(self.watcher, account, code)
        await context.abort(getattr(grpc.StatusCode, code), message)

    return answering
