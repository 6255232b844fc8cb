"""`.csv` and `.tsv`: fields under a header row."""

import csv
from collections.abc import Iterator
from pathlib import Path

from keras_ft.data.readers.lines import lines
from keras_ft.data.readers.registry import Numbered, reads
from keras_ft.errors import RequestError

LARGEST_FIELD = 2**31 - 1  # characters; csv's own limit of 131,072 is less than a long document
Fields = Iterator[tuple[int, list[str] | RequestError]]


@reads(".csv")
def read_csv(path: Path) -> Numbered:
    """Read comma-separated values under a header row; quoted fields may hold commas, quotes (doubled) and newlines.

    A header without a comma but with semicolons or tabs says that these separate the fields, as spreadsheets write
    them where the comma is the decimal sign.
    """
    yield from _under_header(path, _csv_rows(path))


@reads(".tsv")
def read_tsv(path: Path) -> Numbered:
    """Read tab-separated values under a header row; a quote is a character like any other.

    This is what GLUE's and most corpora's files need: their sentences hold single, unpaired quotes. Files whose
    fields hold tabs or newlines in quotes belong in `.csv`.
    """
    yield from _under_header(path, _tsv_rows(path))


def _tsv_rows(path: Path) -> Fields:
    for number, line in lines(path):
        yield number, (line.split("\t") if line else []) if isinstance(line, str) else line


def _delimiter(path: Path) -> str:
    header = next((line for _, line in lines(path) if isinstance(line, str) and line), "")
    if header.startswith("sep=") and len(header) == 5:
        return header[4]
    return "," if "," in header else next((sign for sign in ";\t" if sign in header), ",")


def _is_separator_line(number: int, row: list[str] | RequestError) -> bool:
    """Whether it is the `sep=;` that Excel reads and does not count as data."""
    return number == 1 and isinstance(row, list) and "sep=" in (row[0], row[0][:-1]) and not "".join(row[1:])


def _csv_rows(path: Path) -> Fields:
    csv.field_size_limit(LARGEST_FIELD)
    wrong: list[tuple[int, RequestError]] = []

    def texts() -> Iterator[str]:
        for number, line in lines(path):
            if isinstance(line, RequestError):
                wrong.append((number, line))
                yield "\n"
            else:
                yield line + "\n"

    # Strict, for otherwise a quote that is never closed swallows the rest of the file in silence.
    rows = csv.reader(texts(), strict=True, delimiter=_delimiter(path))
    while True:
        first_line = rows.line_num + 1
        try:
            row = next(rows)
        except StopIteration:
            row = None
        except csv.Error as error:
            advice = "quote fields that hold commas, quotes or newlines, and double the quotes in them"
            problem = f"{path.name} line {first_line} is not CSV ({error}); {advice}"
            yield first_line, RequestError(problem)
            row = []
        yield from wrong
        wrong.clear()
        if row is None:
            return
        yield first_line, row


def _under_header(path: Path, rows: Fields) -> Numbered:
    filled = ((number, row) for number, row in rows if row and not _is_separator_line(number, row))
    header_line, header = next(filled, (0, []))
    if isinstance(header, RequestError):
        raise header
    repeated = [name for name in header if header.count(name) > 1]
    if repeated:
        raise RequestError(f"{path.name} line {header_line} names the column '{repeated[0]}' twice; names must differ")
    for number, row in filled:
        if isinstance(row, RequestError):
            yield number, row
        elif len(row) != len(header):
            expected = f"the header has {len(header)} ({', '.join(header)})"
            yield number, RequestError(f"{path.name} line {number} has {len(row)} columns; {expected}")
        else:
            yield number, dict(zip(header, row, strict=True))
