"""Runs what REST and gRPC ask for: on a thread of a pool, or in the queue of a predictor that has one."""

import asyncio
import logging
from concurrent.futures import Executor, Future
from functools import cache
from typing import Protocol, cast, runtime_checkable

from keras_ft.serving.account import Account, Watcher
from keras_ft.serving.loop_futures import LoopFutures
from keras_ft.serving.models.store import Lease, ModelStore
from keras_ft.serving.signature import DEFAULT_SIGNATURE, Arrays, Predictor, Signature
from keras_ft.serving.status import StatusError, invalid

_log = logging.getLogger(__name__)


@runtime_checkable
class Queueing(Protocol):
    """A predictor that puts requests together."""

    def submit(self, signature_name: str, inputs: Arrays, deadline: float | None = None) -> Future:
        """Queue a request; its outputs or `StatusError` come as the future's."""

    def check_room(self) -> None:
        """Raise RESOURCE_EXHAUSTED if no request would be accepted now."""


class Inference:
    """Starts requests and never waits for them.

    Arguments:
        threads: run the predictors that have no queue of their own.
        watcher: is told what models say.
    """

    def __init__(self, threads: Executor, watcher: Watcher | None = None):
        self._threads, self._watcher = threads, watcher
        self._futures = LoopFutures()

    def check_room(self, store: ModelStore, account: Account, version: int | None, label: str | None) -> None:
        """Refuse what is sure to be refused before it is parsed, which costs more than to refuse it.

        Arguments:
            store: the models.
            account: names the model; one that is not there is left to be missed later.
            version, label: which version of it is asked for.

        Raises:
            StatusError: a queue is full.
        """
        try:
            lease = store.lease(account.model, version, label)
        except StatusError:
            return
        with lease:
            queue = _queue_of(lease.predictor)
            if queue is not None:
                account.version = lease.version.version
                queue.check_room()

    def start(
        self, lease: Lease, signature_name: str, inputs: Arrays, account: Account, deadline: float | None = None
    ) -> asyncio.Future:
        """Run one signature; called in the event loop. The lease is released when that is done.

        Arguments:
            lease: of the version that answers.
            signature_name: empty for the default one.
            inputs: one array per named input, strings as object arrays of bytes.
            account: of the request.
            deadline: on the clock of `time.monotonic`; a request that still waits then is dropped.

        Returns:
            A future of the loop: the outputs, or a `StatusError`; cancelling it drops a request that still waits.

        Raises:
            StatusError: a queue is full.
        """
        name = signature_name or DEFAULT_SIGNATURE
        account.answered_by(lease, name, inputs)
        try:
            queue = _queue_of(lease.predictor)
            if queue is not None:
                future = queue.submit(name, inputs, deadline)
            else:
                future = self._threads.submit(lease.predictor.predict, name, inputs)
        except BaseException:
            lease.release()
            raise
        future.add_done_callback(lambda done: self._finish(done, lease, name, inputs))
        return self._futures.awaitable(future)

    def _finish(self, done: Future, lease: Lease, signature: str, inputs: Arrays) -> None:
        try:
            if self._watcher is not None and not done.cancelled() and done.exception() is None:
                of = lease.version
                self._watcher.answered(of.name, of.version, of.folder, signature, inputs, done.result())
        except Exception:
            _log.exception("the watcher of answers failed")
        finally:
            lease.release()


def _queue_of(predictor: Predictor) -> Queueing | None:
    return cast("Queueing", predictor) if _has_queue(type(predictor)) else None


@cache
def _has_queue(kind: type) -> bool:
    return issubclass(kind, Queueing)  # which takes long to tell


def signature_of(lease: Lease, signature_name: str, kind: str) -> Signature:
    """The signature that a classify or regress request asks for.

    Arguments:
        lease: of the version that answers.
        signature_name: empty for the default one.
        kind: `classify` or `regress`.

    Raises:
        StatusError: there is none of this name, or it does not do this.
    """
    name = signature_name or DEFAULT_SIGNATURE
    signature = lease.predictor.signatures.get(name)
    if signature is None:
        raise invalid(f"No signature was found with the name: {name}")
    check_method(signature, kind)
    return signature


def check_method(signature: Signature, kind: str) -> None:
    """Raise `StatusError` unless a signature classifies or regresses, and its inputs and outputs are made for it."""
    method, thing = f"tensorflow/serving/{kind}", {"classify": "classification", "regress": "regression"}[kind]
    if signature.method != method:
        raise invalid(f"Expected {thing} signature method_name to be {method}. Was: {signature.method}")
    if len(signature.inputs) != 1:
        raise invalid("Expected one input Tensor.")
    if kind == "classify" and len(signature.outputs) not in (1, 2):
        raise invalid(f"Expected one or two output Tensors, found {len(signature.outputs)}")
    if kind == "regress" and len(signature.outputs) != 1:
        raise invalid("Expected one output Tensor.")
    if "inputs" not in signature.inputs:
        raise StatusError("FAILED_PRECONDITION", f"No {thing} inputs found in SignatureDef: {signature.name}")
    if kind == "classify" and not signature.outputs.keys() & {"classes", "scores"}:
        wanted = 'Expected classification signature outputs to contain at least one of "classes" or "scores".'
        raise StatusError("FAILED_PRECONDITION", f"{wanted} Signature was: {signature.name}")
    if kind == "regress" and "outputs" not in signature.outputs:
        raise StatusError("FAILED_PRECONDITION", f"No regression outputs found in SignatureDef: {signature.name}")
