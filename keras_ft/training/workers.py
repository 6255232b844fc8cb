"""The processes of one run, among which the chief alone writes: what they tell each other, and one that is lost.

The chief leads through what only it may do, while the others wait for what it has to tell:

    with workers.leading() as told:      told = workers.led()
        told["rows"] = prepare(…)
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np
import tensorflow as tf

from keras_ft.errors import KerasFTError, RequestError, ResumeError, WorkError
from keras_ft.training.strategy import own_replicas

SLOTS = 1024
SAME = "recipe, backbone and --out must be the same for all workers, and --out must lie where all of them see it"
PEER = re.compile(r"/job:(\w+)/replica:\d+/task:(\d+)")
LOST = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.FailedPreconditionError,
    tf.errors.InternalError,
)


class Workers:
    """All processes of a run, seen from one of them; most often there is one.

    Args:
        strategy: that the run is divided by.
    """

    def __init__(self, strategy: tf.distribute.Strategy):
        self.strategy = strategy
        own = own_replicas(strategy)
        self.count = strategy.num_replicas_in_sync // len(own)
        self.number = own[0] // len(own)
        self._summed = tf.function(self._sum_over_workers, autograph=False, reduce_retracing=True)

    @property
    def is_chief(self) -> bool:
        """Whether this one writes."""
        return self.number == 0

    @contextmanager
    def leading(self) -> Iterator[dict[str, Any]]:
        """On the chief: do what the others wait for; what is put into the dict they are told, or the error."""
        told: dict[str, Any] = {}
        try:
            yield told
        except BaseException as error:
            code = ResumeError.exit_code if isinstance(error, KeyboardInterrupt) else getattr(error, "exit_code", 1)
            with suppress(*LOST):  # this error matters more than that someone is no longer there to hear it
                self.exchange({"error": str(error) or type(error).__name__, "code": code})
            raise
        self.exchange({"told": told})

    def led(self) -> dict[str, Any]:
        """On the others: what the chief has to tell, once it is done.

        Raises:
            KerasFTError: what ended the chief, with its exit code if it is one of ours.
        """
        said = self.exchange({})[0]
        if "error" in said:
            kinds: dict[int, type[KerasFTError]] = {2: RequestError, 75: ResumeError}
            raise kinds.get(said["code"], WorkError)(f"the chief ended: {said['error']}")
        return said["told"]

    def exchange(self, message: dict[str, Any]) -> list[dict[str, Any]]:
        """Say something to all, and hear what each has to say; all must call it at the same point of their work."""
        if self.count == 1:
            return [message]
        text = json.dumps(message).encode()
        lengths = np.zeros(self.count, np.float32)
        lengths[self.number] = len(text)
        lengths = self._sum(lengths).astype(int)
        table = np.zeros((self.count, -(-int(lengths.max()) // SLOTS) * SLOTS), np.float32)  # which any device can sum
        table[self.number, : len(text)] = np.frombuffer(text, np.uint8)
        said = self._sum(table).astype(np.uint8)
        return [json.loads(row[:length].tobytes()) for row, length in zip(said, lengths, strict=True)]

    def agree(self, problem: str) -> None:
        """Go on together, or not at all.

        Args:
            problem: of this worker, empty if it has none.

        Raises:
            RequestError: one has a problem; on all of them.
        """
        for number, said in enumerate(self.exchange({"problem": problem})):
            if said["problem"]:
                raise RequestError(f"worker {number}: {said['problem']}")

    def check_equal(self, state: dict[str, np.ndarray]) -> None:
        """Go on together if all hold the same weights, or not at all.

        Raises:
            RequestError: one holds others than the chief; on all of them.
        """
        digest = hashlib.sha256()
        for name, array in state.items():
            digest.update(name.encode() + np.ascontiguousarray(array).tobytes())
        for number, said in enumerate(all_said := self.exchange({"digest": digest.hexdigest()})):
            if said != all_said[0]:
                raise RequestError(f"worker {number} has other weights or another checkpoint than the chief; {SAME}")

    def _sum(self, values: np.ndarray) -> np.ndarray:
        return self._summed(tf.constant(values)).numpy()

    def _sum_over_workers(self, values: tf.Tensor) -> tf.Tensor:
        local = self.strategy.num_replicas_in_sync // self.count

        def of_replica() -> tf.Tensor:
            context = tf.distribute.get_replica_context()
            is_first = tf.cast(tf.equal(context.replica_id_in_sync_group % local, 0), values.dtype)
            return context.all_reduce(tf.distribute.ReduceOp.SUM, values * is_first)

        return self.strategy.experimental_local_results(self.strategy.run(of_replica))[0]

    @contextmanager
    def lost_workers_told(self, step: Callable[[], int] | None = None) -> Iterator[None]:
        """Say that a worker was lost where TensorFlow says that a sum over all of them failed.

        Args:
            step: tells where training is.

        Raises:
            ResumeError: a worker was lost.
        """
        try:
            yield
        except LOST as error:
            peers = PEER.findall(str(error))
            if self.count == 1 or not (peers or "ollective" in str(error)):
                raise
            who = " ".join(peers[0]) if peers else "a worker"
            when = f" after step {step()}" if step else ""
            raise ResumeError(
                f"{who}, one of {self.count} that train together, was lost{when} (killed, cut off, or ended by an "
                "error that it tells itself); the same command on all of them goes on from the last checkpoint"
            ) from None
