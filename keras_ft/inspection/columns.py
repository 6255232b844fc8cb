"""Which columns the files have, what they hold, and how often they are filled: counted as records pass by."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from keras_ft.data.readers import Source
from keras_ft.data.readers.registry import Numbered
from keras_ft.inspection.finding import writable

TYPES = {str: "text", bool: "boolean", int: "number", float: "number", list: "list", dict: "object"}


class ColumnCounts:
    """Counts the records of sources, and the values in their columns by type."""

    def __init__(self) -> None:
        self.records = 0
        self._types: dict[str, Counter[type]] = {}

    def watched(self, source: Source) -> Source:
        """The same source, its records being counted while they are read."""
        return replace(source, _records=lambda: self._counted(source))

    def _counted(self, source: Source) -> Numbered:
        for number, record in source.records():
            self.records += 1
            if isinstance(record, dict):
                self._count(record)
            yield number, record

    def _count(self, record: dict[str, Any]) -> None:
        types = self._types
        for name, value in record.items():
            counter = types.get(name)
            if counter is None:
                counter = types[name] = Counter()
            empty = value is None or (isinstance(value, str) and (not value or value.isspace()))
            counter[type(None) if empty else type(value)] += 1

    def to_json(self) -> dict[str, dict[str, Any]]:
        """Column → how many records fill it, and with values of which types; names as `writable` gives them."""
        return {writable(name): dict(self._column(counter)) for name, counter in self._types.items()}

    def _column(self, counter: Counter[type]) -> Iterator[tuple[str, Any]]:
        filled: Counter[str] = Counter()
        for kind, count in counter.items():
            if kind is not type(None):
                filled[TYPES.get(kind, kind.__name__)] += count
        yield "filled", filled.total()
        yield "types", dict(filled.most_common())
