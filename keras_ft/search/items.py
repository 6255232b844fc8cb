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


@dataclass(frozen=True)
class ItemsFile:
    """Where the texts of an index stand.

    Attributes:
        file: a data file, a pattern, or a data set.
        text_column: of the texts.
        id_column: of the ids, which are strings or whole numbers, each once; without it, a text is known by the number
            of its line or record in the file.
    """

    file: AnyPath
    text_column: str = "text"
    id_column: str | None = None

    def read(self) -> Iterator[Items]:
        """The texts in their order, some thousands at once.

        Raises:
            RequestError: a row lacks a text or an id, an id comes twice, or the file is empty or cannot be read.
        """
        names = {"text": self.text_column, **({"id": self.id_column} if self.id_column else {})}
        columns = Columns(names, required=list(names), texts=["text"])
        places: dict[str, str] = {}
        for rows in read_chunks(find_sources(self.file, "train"), columns):
            values = rows.columns["id"] if self.id_column else rows.lines
            ids = [_id(value, self.id_column, rows.where(i)) for i, value in enumerate(values)]
            for i, name in enumerate(ids):
                if name in places:
                    advice = "each text needs its own" if self.id_column else "give --index-id: there are several files"
                    raise RequestError(f"{rows.where(i)}: the id '{name}' is that of {places[name]} too; {advice}")
                places[name] = rows.where(i)
            yield Items(ids, rows.columns["text"])


def _id(value: Any, column: str | None, where: str) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int):
        kind = type(value).__name__
        raise RequestError(f"{where}: '{column}' is {str(value)[:40]} (a {kind}); an id is a string or a whole number")
    return str(value)
