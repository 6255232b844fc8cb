"""Which function reads which kind of file."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keras_ft.errors import RequestError

Record = dict[str, Any]
Numbered = Iterator[tuple[int, Record | RequestError]]
"""`(number, record)`; in place of a record that is malformed, the error that says what is wrong with it. What makes
the rest of a file unreadable is raised."""


@dataclass(frozen=True)
class Format:
    """A kind of file.

    Attributes:
        read: a local file → its records.
        unit: what the number of a record counts: "line", "row" or "question".
    """

    read: Callable[[Path], Numbered]
    unit: str


READERS: dict[str, Format] = {}
"""File suffix, in lower case and with its dot → how such files are read. Each may be followed by `.gz`."""


def reads(suffix: str, unit: str = "line") -> Callable[[Callable[[Path], Numbered]], Callable[[Path], Numbered]]:
    """Register the decorated function as the reader of files ending in `suffix`."""

    def register(reader: Callable[[Path], Numbered]) -> Callable[[Path], Numbered]:
        READERS[suffix] = Format(reader, unit)
        return reader

    return register


def suffix_of(path: Path) -> str:
    """The suffix that says how a file is read: `train.JSONL.gz` → `.jsonl`."""
    name = path.name.lower().removesuffix(".gz")
    return Path(name).suffix


def is_compressed(path: Path) -> bool:
    """Whether the file is one that gzip made."""
    return path.name.lower().endswith(".gz")
