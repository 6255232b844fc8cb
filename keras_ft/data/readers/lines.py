"""The bytes and the lines of a file, plain or compressed by gzip."""

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from keras_ft.data.readers.registry import is_compressed
from keras_ft.errors import RequestError

BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """The content of a file, decompressed.

    Raises:
        RequestError: it cannot be read, or is not what gzip writes.
    """
    try:
        with gzip.open(path) if is_compressed(path) else path.open("rb") as file:
            yield file  # type: ignore[misc]
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise RequestError(f"{path} is not a whole gzip file ({error}); compress or copy it again") from None
    except OSError as error:
        raise RequestError(f"{path} cannot be read: {error.strerror or error}") from None


def lines(path: Path) -> Iterator[tuple[int, str | RequestError]]:
    r"""Yield the lines, from 1, without their `\n` or `\r\n`; one that is not UTF-8 is an error."""
    with opened(path) as file:
        for number, raw in enumerate(file, start=1):
            if number == 1:
                raw = raw.removeprefix(BYTE_ORDER_MARK)
            try:
                yield number, raw.decode("utf-8").removesuffix("\n").removesuffix("\r")
            except UnicodeDecodeError as error:
                byte = f"byte 0x{raw[error.start]:02x} at {error.start + 1}"
                yield number, RequestError(f"{path.name} line {number} is not UTF-8 ({byte}); save it as UTF-8")
