"""What `data.train` and its like name: local and remote files, patterns of them, and data sets of TFDS."""

import glob
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from pathlib import Path

from keras_ft.data.readers.plain_text import READERS_BY_DIVISION, Division
from keras_ft.data.readers.registry import READERS, Numbered, Record, is_compressed, suffix_of
from keras_ft.data.readers.tensorflow_datasets import PREFIX, TFDSData
from keras_ft.errors import RequestError
from keras_ft.paths import is_remote, local_file


@dataclass(frozen=True)
class Source:
    """Records that one name of the recipe stands for.

    Attributes:
        name: how messages call it: a file's name, or the whole name of a data set.
        unit: what a record's number counts: "line", "row", "record" or "example".
        digest: sha256 of the content, computed when it is first called.
    """

    name: str
    unit: str
    digest: Callable[[], str]
    _records: Callable[[], Numbered]

    def records(self) -> Numbered:
        """Read from the beginning; a malformed record is yielded as the error that describes it.

        Raises:
            RequestError: the whole cannot be read, or holds no records.
        """
        empty = True
        for numbered in self._records():
            empty = False
            yield numbered
        if empty:
            raise RequestError(f"{self.name} holds no records; at least one is needed")


def find_sources(
    names: str | os.PathLike | Iterable[str | os.PathLike], split: str = "train", division: Division = "line"
) -> list[Source]:
    """The sources that names stand for, in their order; a pattern's files in the order of their names.

    Args:
        names: of files (`train.jsonl`, `part-*.csv.gz`, `gs://bucket/train.parquet`) and data sets (`tfds:glue/sst2`).
        split: of a data set whose name says none.
        division: what a row of a `.txt` file is.

    Raises:
        RequestError: there are no names, a file does not exist or is of an unknown kind; it names the nearest one.
    """
    names = [names] if isinstance(names, str | os.PathLike) else list(names)
    if not names:
        raise RequestError("the list of data files is empty; name at least one")
    return [source for name in names for source in _sources(name, split, division)]


def read_records(path: Path) -> Iterator[tuple[int, Record]]:
    """Read the records of one file; the first malformed one is raised.

    Yields:
        `(number, record)`: the line on which the record begins, or its number, from 1; and column name → value.

    Raises:
        RequestError: there is no such file, it cannot be read or is of an unknown kind, it holds no records, or a
            line of it is malformed.
    """
    for source in find_sources(path):
        for number, record in source.records():
            if isinstance(record, RequestError):
                raise record
            yield number, record


def _sources(name: str | os.PathLike, split: str, division: Division) -> Iterator[Source]:
    text = os.fspath(name)
    if text.startswith(PREFIX):
        data = TFDSData(text, split)
        yield Source(text, "example", data.digest, data.records)
    elif is_remote(text):
        if glob.has_magic(text):
            raise RequestError(f"{text}: patterns are for local files; list the names of remote ones")
        _check_kind(Path(text))
        yield _file(local_file(text), division)
    elif glob.has_magic(text) and not Path(text).exists():
        found = sorted(glob.glob(text))
        if not found:
            raise RequestError(f"no file matches {text}; {_present(Path(text).parent)}")
        yield from (_file(Path(path), division) for path in found)
    else:
        yield _file(Path(text), division)


def _file(path: Path, division: Division) -> Source:
    _check_kind(path)
    check_is_file(path)
    kind = READERS[suffix_of(path)]
    read = READERS_BY_DIVISION[division] if suffix_of(path) == ".txt" else kind.read
    shown = os.fsencode(path.name).decode("utf-8", "replace")  # a name need not be UTF-8
    return Source(shown, kind.unit, cache(lambda: _sha256(path)), lambda: read(path))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check_kind(path: Path) -> None:
    if suffix_of(path) not in READERS:
        kinds = ", ".join(sorted(READERS))
        packed = " (each may be packed with gzip)" if is_compressed(path) else ""
        raise RequestError(f"{path} is of an unknown kind, '{suffix_of(path)}'; known are {kinds}{packed}")


def check_is_file(path: Path) -> None:
    """Refuse a path that is no file.

    Raises:
        RequestError: names the nearest file of the folder.
    """
    if path.is_dir():
        raise RequestError(f"{path} is a folder; name a file in it, a pattern like '{path.name}/*.jsonl', or a list")
    if not path.exists():
        names = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
        nearest = get_close_matches(path.name, names, n=1)
        advice = f"; did you mean '{nearest[0]}'?" if nearest else f"; {_present(path.parent)}"
        raise RequestError(f"no such file: {path}{advice}")


def _present(folder: Path) -> str:
    if not folder.is_dir():
        return f"there is no folder {folder} either"
    names = sorted(entry.name for entry in folder.iterdir() if suffix_of(entry) in READERS)
    return f"its folder holds {', '.join(names[:8])}" if names else "its folder holds no data files"
