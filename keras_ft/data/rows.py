"""Records → rows: columns under the task's names, each value checked, each row knowing the line it came from."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import numpy as np

from keras_ft.data.readers import Record, Source
from keras_ft.errors import RequestError

KINDS = {bool: "a boolean", int: "a number", float: "a number", list: "a list", dict: "an object"}
ROWS_AT_ONCE = 4096
CHARACTERS_AT_ONCE = 1 << 20  # of texts; tokenizing takes some forty bytes of memory a character
Refuse = Callable[[RequestError], None]


@dataclass
class Rows:
    """Some examples of one source as the user wrote them, column by column.

    Args:
        columns: the task's column name → one value per row.
        lines: for each row, its number in the source, from 1.
        source: the file's name.
        unit: what the numbers count.
    """

    columns: dict[str, list]
    lines: list[int]
    source: str
    unit: str = "line"

    def __len__(self) -> int:
        return len(self.lines)

    def select(self, indices: Sequence[int] | np.ndarray) -> "Rows":
        """Return the rows at `indices` (a list or an integer array), in that order."""
        columns = {name: [values[i] for i in indices] for name, values in self.columns.items()}
        return Rows(columns, [self.lines[i] for i in indices], self.source, self.unit)

    def where(self, i: int) -> str:
        """Say where row `i` came from, as error messages do: "train.jsonl line 17"."""
        return f"{self.source} {self.unit} {self.lines[i]}"


@dataclass(frozen=True)
class Columns:
    """Which columns are wanted, and what they must hold.

    Attributes:
        names: the task's column name → the file's. A name of `required` that is not here stands for itself.
        required: the task's columns that each row must fill. None, an absent key and a string of white space alone do
            not fill one; an empty list does, being an answer in some tasks.
        texts: the task's columns whose values, where present, must be strings of valid Unicode.
        lists: the task's columns whose values, where present, must be lists of such strings.
        convert: a row's values by these names, None where empty, and where it stands → the columns that are wanted of
            it; raises RequestError.
        blanks: the task's columns that a string of white space alone does fill; it is "" then.
    """

    names: Mapping[str, str]
    required: Sequence[str]
    texts: Sequence[str]
    lists: Sequence[str] = ()
    convert: Callable[[dict[str, Any], str], dict[str, Any]] | None = None
    blanks: Sequence[str] = ()


def raise_at_once(error: RequestError) -> None:
    """The strict way with a row that is wrong."""
    raise error


def read_chunks(
    sources: Iterable[Source], columns: Columns, refuse: Refuse = raise_at_once, rows_at_once: int = ROWS_AT_ONCE
) -> Iterator[Rows]:
    """Read sources into rows, one behind the other, so many at once.

    Args:
        sources: from `find_sources`.
        columns: what is wanted of a record.
        refuse: is given the error of each row that is malformed, lacks a required column or has a bad value; where it
            returns, the row is left out.
        rows_at_once: the most rows of a chunk, which is cut before if its texts are long; all are of one source.

    Yields:
        The rows. A column that is not required is None in the rows that do not fill it, and absent altogether if no
        record of the chunk has it.

    Raises:
        RequestError: a source cannot be read; and what `refuse` raises.
    """
    names = {name: name for name in columns.required} | dict(columns.names)
    for source in sources:
        chunk = _Chunk(names, source)
        for number, record in source.records():
            try:
                chunk.add(number, record, columns)
            except RequestError as error:
                refuse(error)
            if len(chunk.lines) == rows_at_once or chunk.characters >= CHARACTERS_AT_ONCE:
                yield chunk.rows(columns)
                chunk = _Chunk(names, source)
        if chunk.lines:
            yield chunk.rows(columns)


def pick_rows(chunks: Iterable[Rows], indices: Sequence[int] | np.ndarray) -> dict[str, list]:
    """The columns of a few rows, in the order of `indices` (numbers over all chunks); reads no further than needed.

    Raises:
        RequestError: there are not so many rows.
    """
    found: dict[int, dict[str, Any]] = {}
    wanted = sorted({int(i) for i in indices}, reverse=True)
    start = 0
    for rows in chunks if wanted else ():
        stop = start + len(rows)
        while wanted and wanted[-1] < stop:
            i = wanted.pop()
            found[i] = {name: values[i - start] for name, values in rows.columns.items()}
        if not wanted:
            break
        start = stop
    if wanted:
        raise RequestError(f"the data have {start:,} rows now, too few for row {wanted[-1] + 1:,}; they have changed")
    names = dict.fromkeys(name for row in found.values() for name in row)
    return {name: [found[int(i)].get(name) for i in indices] for name in names}


class _Chunk:
    """Rows being gathered."""

    def __init__(self, names: dict[str, str], source: Source):
        self.names, self.source = names, source
        self.lines: list[int] = []
        self.values: list[dict[str, Any]] = []
        self.present: set[str] = set()
        self.characters = 0

    def add(self, number: int, record: Record | RequestError, columns: Columns) -> None:
        if isinstance(record, RequestError):
            raise record
        row = {}
        for name, column in self.names.items():
            value = record.get(column)
            is_blank = isinstance(value, str) and not value.strip()
            if is_blank and name in columns.blanks:
                value = ""
            elif value is None or is_blank:
                if name in columns.required:
                    where = f"{self.source.name} {self.source.unit} {number}"
                    raise RequestError(f"{where} {_what_is_missing(record, name, column)}")
                value = None
            elif name in columns.texts:
                _check_text(value, f"'{column}'", f"{self.source.name} {self.source.unit} {number}")
                self.characters += len(value)
            elif name in columns.lists:
                _check_list(value, column, f"{self.source.name} {self.source.unit} {number}")
                self.characters += sum(map(len, value))
            row[name] = value
        if columns.convert:
            row = columns.convert(row, f"{self.source.name} {self.source.unit} {number}")
        self.present |= record.keys()
        self.lines.append(number)
        self.values.append(row)

    def rows(self, columns: Columns) -> Rows:
        absent = {
            name for name, column in self.names.items() if name not in columns.required and column not in self.present
        }
        kept = dict.fromkeys(name for row in self.values for name in row if name not in absent or row[name] is not None)
        values = {name: [row.get(name) for row in self.values] for name in kept}
        return Rows(values, self.lines, self.source.name, self.source.unit)


def _what_is_missing(record: dict, name: str, column: str) -> str:
    if column in record:
        return f"has no '{column}': it is empty; fill it in or delete the line"
    nearest = get_close_matches(column, [key for key in record if isinstance(key, str)], n=1)
    advice = f"did you mean '{nearest[0]}'?" if nearest else f"name the one that holds it in data.columns.{name}"
    columns = f"its columns are {', '.join(map(repr, record))}" if record else "it has no columns"
    return f"has no '{column}'; {columns}; {advice}"


def _check_list(value: Any, column: str, where: str) -> None:
    if not isinstance(value, list):
        kind = "a string" if isinstance(value, str) else KINDS.get(type(value), f"a {type(value).__name__}")
        advice = ".jsonl and .parquet hold lists" if isinstance(value, str) else "put it in brackets"
        raise RequestError(f"{where}: '{column}' is {kind} ({str(value)[:40]}), not a list of strings; {advice}")
    for i, item in enumerate(value, start=1):
        _check_text(item, f"'{column}' item {i}", where)


def _check_text(value: Any, what: str, where: str) -> None:
    if not isinstance(value, str):
        kind = KINDS.get(type(value), f"a {type(value).__name__}")
        raise RequestError(f"{where}: {what} is {kind} ({str(value)[:40]}), not a string; put it in quotes")
    if value.isascii():
        return
    try:
        value.encode("utf-8")
    except UnicodeEncodeError as error:
        half = f"U+{ord(value[error.start]):04X} at character {error.start + 1} is half a surrogate pair"
        raise RequestError(f"{where}: {what} is not valid Unicode ({half}); mend or delete the line") from None
