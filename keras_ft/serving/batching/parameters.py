"""How requests are batched: the fields of TF Serving's `BatchingParameters`, checked as it checks them."""

import os
from dataclasses import dataclass, field

from keras_ft.errors import RequestError


@dataclass(frozen=True)
class BatchingParameters:
    """What a `BatchingPredictor` may do; every field but the last bears TF Serving's name and meaning.

    Arguments:
        max_batch_size: the most rows of one batch (of short texts; the longer they are, the fewer rows it holds).
        batch_timeout_micros: how long a request may wait for others to fill its batch; 0 takes what has accrued
            whenever a thread is free.
        max_enqueued_batches: how many batches' worth of rows may wait; more are refused.
        num_batch_threads: how many batches run at once; by default one a CPU.
        thread_pool_name: what the threads are called.
        allowed_batch_sizes: rising, the last being the most rows of one batch. Batches are not padded up to these
            sizes here: exported models take any number of rows and gain nothing from a round one.
        pad_variable_length_inputs: batch requests whose arrays differ behind dimension 0, padded to the widest: strings
            with empty ones, numbers with the array's first.
        enable_large_batch_splitting: run a request that has more rows than a batch in pieces; else it is refused.
        max_execution_batch_size: where large requests are split, the most rows of one batch instead of
            `max_batch_size`.
        max_queue_delay: seconds; a request that would have to wait longer is refused at once (not in TF Serving).

    Raises:
        RequestError: a value is out of its range; the message begins with the field's name.
    """

    max_batch_size: int = 64
    batch_timeout_micros: int = 0
    max_enqueued_batches: int = 100
    num_batch_threads: int = field(default_factory=lambda: os.cpu_count() or 1)
    thread_pool_name: str = "batch_threads"
    allowed_batch_sizes: tuple[int, ...] = ()
    pad_variable_length_inputs: bool = False
    enable_large_batch_splitting: bool = True
    max_execution_batch_size: int | None = None
    max_queue_delay: float | None = None

    def __post_init__(self):
        for name in ("max_batch_size", "max_enqueued_batches", "num_batch_threads"):
            _check_positive(name, getattr(self, name))
        if self.batch_timeout_micros < 0:
            raise RequestError(f"batch_timeout_micros is {self.batch_timeout_micros}; it must be 0 or more")
        if self.enable_large_batch_splitting and self.max_execution_batch_size is not None:
            _check_positive("max_execution_batch_size", self.max_execution_batch_size)
            if self.max_execution_batch_size > self.max_batch_size:
                raise RequestError(
                    f"max_execution_batch_size is {self.max_execution_batch_size}; it must be at most max_batch_size, "
                    f"which is {self.max_batch_size}"
                )
        self._check_allowed_batch_sizes()
        if self.max_queue_delay is not None and not self.max_queue_delay > 0:
            raise RequestError(f"max_queue_delay is {self.max_queue_delay}; it must be a positive number of seconds")

    @property
    def batch_rows(self) -> int:
        """The most rows that run at once."""
        if self.enable_large_batch_splitting and self.max_execution_batch_size is not None:
            return self.max_execution_batch_size
        return self.max_batch_size

    @property
    def queue_rows(self) -> int:
        """The most rows that may wait."""
        return self.max_enqueued_batches * self.batch_rows

    def _check_allowed_batch_sizes(self) -> None:
        sizes = list(self.allowed_batch_sizes)
        if not sizes:
            return
        for size in sizes:
            _check_positive("allowed_batch_sizes", size)
        if sizes != sorted(set(sizes)):
            raise RequestError(f"allowed_batch_sizes is {sizes}; each size must be larger than the one before")
        if sizes[-1] != self.batch_rows:
            name = "max_batch_size" if self.batch_rows == self.max_batch_size else "max_execution_batch_size"
            raise RequestError(f"allowed_batch_sizes ends with {sizes[-1]}; it must end with {name}: {self.batch_rows}")


def _check_positive(name: str, value: int) -> None:
    if value < 1:
        raise RequestError(f"{name} is {value}; it must be 1 or more")
