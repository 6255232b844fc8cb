"""Progress through many rows: a bar on a terminal, else a line now and then."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sized
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

Counted = TypeVar("Counted", bound=Sized)
SECONDS_BETWEEN_LINES = 15.0


def tracked(
    chunks: Iterable[Counted],
    what: str,
    tell: Callable[[str], None],
    total: int | None = None,
    start: int = 0,
    size: Callable[[Counted], int] = len,
) -> Iterator[Counted]:
    """Hand on chunks and show how many rows have passed.

    Args:
        chunks: of rows.
        what: what is being done, a word or two.
        tell: is given a line every quarter of a minute where there is no terminal.
        total: rows in all, None where nobody knows.
        start: rows that were done before.
        size: the rows of a chunk.
    """
    console = Console(file=sys.stderr)
    done = start
    if console.is_terminal:
        left = [TimeRemainingColumn()] if total else [TimeElapsedColumn()]
        columns = [TextColumn("{task.description}"), BarColumn(bar_width=20), TextColumn("{task.fields[rows]}"), *left]
        with Progress(*columns, console=console, transient=True) as bar:
            task = bar.add_task(what, total=total, completed=start, rows="")
            for chunk in chunks:
                done += size(chunk)
                bar.update(task, completed=done, rows=_rows(done, total))
                yield chunk
        return
    last = time.monotonic()
    for chunk in chunks:
        done += size(chunk)
        if time.monotonic() - last >= SECONDS_BETWEEN_LINES:
            last = time.monotonic()
            tell(f"{what}: {_rows(done, total)}")
        yield chunk


def _rows(done: int, total: int | None) -> str:
    return f"{done:,} of {total:,} rows" if total else f"{done:,} rows"
