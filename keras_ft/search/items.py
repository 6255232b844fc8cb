"""The texts that are searched, and what each is called."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from keras_ft.data.readers import find_sources
from keras_ft.data.rows import Columns, read_chunks
from keras_ft.errors import RequestError
from keras_ft.paths import AnyPath


@dataclass(frozen=True)
class Items:
    """Some texts of an index.

    Attributes:
        ids: what a caller knows each by.
        texts: `(items,)`.
    """

    ids: list[str]
    texts: list[str]

    def __len__(self) -> int:
        return len(self.ids)


def read_items(file: AnyPath, text_column: str = "text", id_column: str | None = None) -> Iterator[Items]:
    """The texts of a data file in its order, some thousands at once.

    Args:
        file: a data file, a pattern, or a data set.
        text_column: of the texts.
        id_column: of the ids, which are strings or whole numbers, each once; without it, a text is known by the number
            of its line or record in the file.

    Raises:
        RequestError: a row lacks a text or an id, an id comes twice, or the file is empty or cannot be read.
    """
    names = {"text": text_column, **({"id": id_column} if id_column else {})}
    columns = Columns(names, required=list(names), texts=["text"])
    places: dict[str, str] = {}
    for rows in read_chunks(find_sources(file, "train"), columns):
        values = rows.columns["id"] if id_column else rows.lines
        ids = [_id(value, id_column, rows.where(i)) for i, value in enumerate(values)]
        for i, name in enumerate(ids):
            if name in places:
                advice = "ids are to be told apart" if id_column else "give --index-id, since there are several files"
                raise RequestError(f"{rows.where(i)}: the id '{name}' is that of {places[name]} too; {advice}")
            places[name] = rows.where(i)
        yield Items(ids, rows.columns["text"])


def _id(value: Any, column: str | None, where: str) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int):
        kind = type(value).__name__
        raise RequestError(f"{where}: '{column}' is {str(value)[:40]} (a {kind}); an id is a string or a whole number")
    return str(value)
