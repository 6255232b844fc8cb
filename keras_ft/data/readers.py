"""A file → records: each reader yields `(line number, record)`, the line being the record's first."""

import csv
import json
from collections.abc import Callable, Iterator
from difflib import get_close_matches
from pathlib import Path

from keras_ft.errors import RequestError

Record = dict
Reader = Callable[[Path], Iterator[tuple[int, Record]]]

READERS: dict[str, Reader] = {}
"""File suffix, in lower case and with its dot → the function that reads such files."""

LARGEST_FIELD = 2**31 - 1  # characters; csv's own limit of 131,072 is less than a long document


def reads(suffix: str) -> Callable[[Reader], Reader]:
    """Register the decorated function as the reader of files ending in `suffix`."""

    def register(reader: Reader) -> Reader:
        READERS[suffix] = reader
        return reader

    return register


def read_records(path: Path) -> Iterator[tuple[int, Record]]:
    """Read the records of one file with the reader its suffix names.

    Args:
        path: a file; its suffix, in any case, must be in `READERS`.

    Yields:
        `(line, record)`: the line of the file, from 1, on which the record begins, and column name → value.

    Raises:
        RequestError: there is no such file, it cannot be read or is of an unknown kind, it holds no records, or a
            line of it is malformed.
    """
    reader = _reader_of(path)
    check_is_file(path)
    empty = True
    for numbered_record in reader(path):
        empty = False
        yield numbered_record
    if empty:
        raise RequestError(f"{path} holds no records; at least one is needed")


@reads(".jsonl")
def read_jsonl(path: Path) -> Iterator[tuple[int, Record]]:
    """Read one JSON object per line; blank lines are skipped."""
    for number, line in _lines(path):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except json.JSONDecodeError as error:
            problem = f"is not JSON ({error.msg}, column {error.colno})"
        except (ValueError, RecursionError) as error:  # numbers of thousands of digits, thousands of brackets
            problem = f"is not JSON ({error})"
        else:
            if isinstance(record, dict):
                yield number, record
                continue
            problem = f"holds a JSON {type(record).__name__}"
        raise RequestError(f'{path.name} line {number} {problem}; each line must be one object: {{"text": "…", …}}')


@reads(".csv")
def read_csv(path: Path) -> Iterator[tuple[int, Record]]:
    """Read comma-separated values under a header row; quoted fields may hold commas, quotes (doubled) and newlines."""
    yield from _under_header(path, _csv_rows(path))


@reads(".tsv")
def read_tsv(path: Path) -> Iterator[tuple[int, Record]]:
    """Read tab-separated values under a header row; a quote is a character like any other.

    This is what GLUE's and most corpora's files need: their sentences hold single, unpaired quotes. Files whose
    fields hold tabs or newlines in quotes belong in `.csv`.
    """
    yield from _under_header(path, ((number, line.split("\t") if line else []) for number, line in _lines(path)))


def _reader_of(path: Path) -> Reader:
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise RequestError(f"{path} is of an unknown kind, '{path.suffix}'; known are {', '.join(sorted(READERS))}")
    return reader


def check_is_file(path: Path) -> None:
    """Refuse a path that is no file.

    Raises:
        RequestError: names the nearest file of the folder.
    """
    if path.is_dir():
        raise RequestError(f"{path} is a folder; name a file in it, or a list of files")
    if not path.exists():
        names = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
        nearest = get_close_matches(path.name, names, n=1)
        advice = f"; did you mean '{nearest[0]}'?" if nearest else f"; {_present(path.parent)}"
        raise RequestError(f"no such file: {path}{advice}")


def _present(folder: Path) -> str:
    if not folder.is_dir():
        return f"there is no folder {folder} either"
    names = sorted(entry.name for entry in folder.iterdir() if entry.suffix.lower() in READERS)
    return f"its folder holds {', '.join(names[:8])}" if names else "its folder holds no data files"


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    r"""Yield the lines, from 1, without their `\n` or `\r\n`; decoded one by one, so that an error knows its line."""
    try:
        with path.open("rb") as file:
            for number, raw in enumerate(file, start=1):
                if number == 1:
                    raw = raw.removeprefix(b"\xef\xbb\xbf")
                try:
                    line = raw.decode("utf-8")
                except UnicodeDecodeError as error:
                    byte = f"byte 0x{raw[error.start]:02x} at {error.start + 1}"
                    raise RequestError(f"{path.name} line {number} is not UTF-8 ({byte}); save it as UTF-8") from None
                yield number, line.removesuffix("\n").removesuffix("\r")
    except OSError as error:
        raise RequestError(f"{path} cannot be read: {error.strerror}") from None


def _csv_rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    csv.field_size_limit(LARGEST_FIELD)
    # Strict, for otherwise a quote that is never closed swallows the rest of the file in silence.
    rows = csv.reader((line + "\n" for _, line in _lines(path)), strict=True)
    while True:
        first_line = rows.line_num + 1
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            advice = "quote fields that hold commas, quotes or newlines, and double the quotes in them"
            raise RequestError(f"{path.name} line {first_line} is not CSV ({error}); {advice}") from None
        yield first_line, row


def _under_header(path: Path, rows: Iterator[tuple[int, list[str]]]) -> Iterator[tuple[int, Record]]:
    filled = ((number, row) for number, row in rows if row)
    header_line, header = next(filled, (0, []))
    repeated = [name for name in header if header.count(name) > 1]
    if repeated:
        raise RequestError(f"{path.name} line {header_line} names the column '{repeated[0]}' twice; names must differ")
    for number, row in filled:
        if len(row) != len(header):
            expected = f"the header has {len(header)} ({', '.join(header)})"
            raise RequestError(f"{path.name} line {number} has {len(row)} columns; {expected}")
        yield number, dict(zip(header, row, strict=True))
