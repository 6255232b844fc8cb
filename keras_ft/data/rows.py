"""Records → rows: columns under the task's names, each value checked, each row knowing the line it came from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np

from keras_ft.data.readers import read_records
from keras_ft.errors import RequestError

KINDS = {bool: "a boolean", int: "a number", float: "a number", list: "a list", dict: "an object"}


@dataclass
class Rows:
    """Examples as the user wrote them, column by column.

    Args:
        columns: the task's column name → one value per row.
        lines: for each row, the line of its file, from 1.
        source: the file's name; of several, their names joined by ", ".
        files: for each row, the name of its file; None where all rows are of `source`.
    """

    columns: dict[str, list]
    lines: list[int]
    source: str
    files: list[str] | None = None

    def __len__(self) -> int:
        return len(self.lines)

    def select(self, indices: Sequence[int] | np.ndarray) -> "Rows":
        """Return the rows at `indices` (a list or an integer array), in that order."""
        files = self.files
        return Rows(
            columns={name: [values[i] for i in indices] for name, values in self.columns.items()},
            lines=[self.lines[i] for i in indices],
            source=self.source,
            files=None if files is None else [files[i] for i in indices],
        )

    def where(self, i: int) -> str:
        """Say where row `i` came from, as error messages do: "train.jsonl line 17"."""
        file = self.source if self.files is None else self.files[i]
        return f"{file} line {self.lines[i]}"


def read_rows(
    paths: Path | Sequence[Path],
    columns: Mapping[str, str],
    required: Sequence[str],
    text_columns: Sequence[str],
) -> Rows:
    """Read files into rows; several files are concatenated in the order given.

    Args:
        paths: a file, or several.
        columns: the task's column name → the file's. A name of `required` that is not here stands for itself.
        required: the task's columns that each row must fill. None, an absent key and a string of white space alone do
            not fill one; an empty list does, being an answer in some tasks.
        text_columns: the task's columns whose values, where present, must be strings of valid Unicode.

    Returns:
        The rows. A column that is not required is None in the rows that do not fill it, and absent altogether if the
        files have none of its name.

    Raises:
        RequestError: a file cannot be read, lacks a required column, or has a bad value; names the file and the line.
    """
    paths = [paths] if isinstance(paths, Path) else list(paths)
    if not paths:
        raise RequestError("the list of data files is empty; name at least one")
    file_columns = {name: name for name in required} | dict(columns)
    values: dict[str, list] = {name: [] for name in file_columns}
    lines: list[int] = []
    files: list[str] = []
    present = set(required)
    for path in paths:
        for line, record in read_records(path):
            where = f"{path.name} line {line}"
            for name, column in file_columns.items():
                value = record.get(column)
                if value is None or (isinstance(value, str) and not value.strip()):
                    if name in required:
                        raise RequestError(f"{where} {_what_is_missing(record, name, column)}")
                    value = None
                elif name in text_columns:
                    _check_text(value, column, where)
                if column in record:
                    present.add(name)
                values[name].append(value)
            lines.append(line)
            files.append(path.name)
    return Rows(
        columns={name: column for name, column in values.items() if name in present},
        lines=lines,
        source=", ".join(path.name for path in paths),
        files=files if len(paths) > 1 else None,
    )


def _what_is_missing(record: dict, name: str, column: str) -> str:
    if column in record:
        return f"has no '{column}': it is empty; fill it in or delete the line"
    nearest = get_close_matches(column, [key for key in record if isinstance(key, str)], n=1)
    advice = f"did you mean '{nearest[0]}'?" if nearest else f"name the one that holds it in data.columns.{name}"
    columns = f"its columns are {', '.join(map(repr, record))}" if record else "it has no columns"
    return f"has no '{column}'; {columns}; {advice}"


def _check_text(value: Any, column: str, where: str) -> None:
    if not isinstance(value, str):
        kind = KINDS.get(type(value), f"a {type(value).__name__}")
        raise RequestError(f"{where}: '{column}' is {kind} ({str(value)[:40]}), not a string; put it in quotes")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError as error:
        half = f"U+{ord(value[error.start]):04X} at character {error.start + 1} is half a surrogate pair"
        raise RequestError(f"{where}: '{column}' is not valid Unicode ({half}); mend or delete the line") from None
