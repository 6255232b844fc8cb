"""Labels: what files call the classes ⇄ their numbers."""

import re
import unicodedata
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from typing import Any

import numpy as np

from keras_ft.errors import RequestError

Where = Callable[[int], str]


def label_text(value: Any, where: str) -> str:
    """Return a label as the string it is known by: `"a"` → `"a"`, `3` → `"3"`, `true` → `"true"`, as JSON writes it.

    Raises:
        RequestError: the label is a float, None, a list or anything else; `where` (file and line) is named.
    """
    if isinstance(value, str):
        if any(unicodedata.category(character) in ("Cc", "Cs") for character in value):
            raise RequestError(f"{where}: the label {value!r} holds a line break or a character that is no text")
        return value
    if isinstance(value, bool | np.bool_):
        return "true" if value else "false"
    if isinstance(value, int | np.integer):
        return str(int(value))
    kind = "missing" if value is None else f"{str(value)[:40]} (a {type(value).__name__})"
    raise RequestError(f"{where}: the label is {kind}; a label is a string, an integer or a boolean")


class LabelSet:
    """The labels of a task, in the order of their numbers.

    `LabelSet(label_set.names)` gives the same set again, so a list of strings is all that needs saving.

    Args:
        names: the labels; none may occur twice (ValueError).
    """

    def __init__(self, names: Iterable[str]):
        self.names = list(names)
        self._numbers = {name: number for number, name in enumerate(self.names)}
        if len(self._numbers) < len(self.names):
            raise ValueError(f"a label occurs twice in {self.names}")

    @classmethod
    def discover(cls, values: Iterable, where: Where = "row {}".format, fewest: int = 2) -> "LabelSet":
        """Number the labels that occur in training data: by value if all are integers, else by code point.

        Args:
            values: a label per row: strings, integers or booleans.
            where: row number → where it stands, for errors; `Rows.where` does.
            fewest: different ones that are needed.

        Raises:
            RequestError: a value cannot be a label, or there are too few different ones.
        """
        names = {label_text(value, where(i)) for i, value in enumerate(values)}
        if len(names) < fewest:
            found = f"has one label only, '{next(iter(names))}'" if names else "has no labels"
            needed = "at least two different ones are needed" if fewest > 1 else "at least one is needed"
            raise RequestError(f"the training data {found}; {needed}")
        integers = all(re.fullmatch(r"[+-]?[0-9]+", name) for name in names)
        return cls(sorted(names, key=(lambda name: (int(name), name)) if integers else None))

    def __len__(self) -> int:
        return len(self.names)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LabelSet) and self.names == other.names

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"LabelSet({self.names!r})"

    def index(self, value: Any, where: str) -> int:
        """Return the number of a label.

        Raises:
            RequestError: training data have no such label; names it, `where` it stands and the nearest known one.
        """
        name = label_text(value, where)
        number = self._numbers.get(name)
        if number is None:
            nearest = get_close_matches(name, self.names, n=1)
            advice = f"did you mean '{nearest[0]}'?" if nearest else f"known are {self._some_names()}"
            raise RequestError(f"{where}: the training data have no label '{name}'; {advice}")
        return number

    def indices(self, values: Iterable, where: Where = "row {}".format) -> np.ndarray:
        """Return the numbers of many labels, `(rows,)` int32; `where` and errors as in `discover` and `index`."""
        return np.array([self.index(value, where(i)) for i, value in enumerate(values)], dtype=np.int32)

    def _some_names(self) -> str:
        more = f" and {len(self) - 10} more" if len(self) > 10 else ""
        return ", ".join(f"'{name}'" for name in self.names[:10]) + more
