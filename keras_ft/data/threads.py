"""Work on a stream of chunks in other threads, its order kept."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_threads(function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[tuple[Item, Result]]:
    """Hand on each item with what a function makes of it, in their order, a few items ahead of the consumer.

    Args:
        function: of one item; it should spend its time outside of Python's lock, as TensorFlow's ops do.
        items: are drawn in this thread, so that reading goes on while others work.
    """
    workers = os.cpu_count() or 1
    pending: deque[tuple[Item, Future[Result]]] = deque()
    pool = ThreadPoolExecutor(workers)
    try:
        for item in items:
            pending.append((item, pool.submit(function, item)))
            if len(pending) > 2 * workers:
                done, result = pending.popleft()
                yield done, result.result()
        while pending:
            done, result = pending.popleft()
            yield done, result.result()
    finally:
        pool.shutdown(cancel_futures=True)
