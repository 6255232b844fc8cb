"""What becomes of rows that cannot be read: they are refused, or left out and counted."""

from collections.abc import Callable
from typing import Literal

from keras_ft.data.rows import Refuse, raise_at_once
from keras_ft.errors import RequestError

Malformed = Literal["refuse", "skip"]
SHOWN = 3


class Skipped:
    """Counts the rows that are left out; remembers what was wrong with the first few."""

    def __init__(self) -> None:
        self.count = 0
        self.first: list[str] = []

    def __call__(self, error: RequestError) -> None:
        """One more."""
        self.count += 1
        if len(self.first) < SHOWN:
            self.first.append(str(error))

    def report(self, name: str, tell: Callable[[str], None]) -> None:
        """Tell how many rows of a split were left out, and the first of the reasons."""
        if not self.count:
            return
        rows = "1 malformed row" if self.count == 1 else f"{self.count:,} malformed rows"
        tell(f"Skipped {rows} of {name}:")
        for message in self.first:
            tell(f"  {message}")
        if self.count > len(self.first):
            tell(f"  … and {self.count - len(self.first):,} more; 'keras-ft inspect' lists them")


def refusal(malformed: Malformed) -> Refuse:
    """What is done with the error of a row: it is raised, or passed over in silence."""
    return raise_at_once if malformed == "refuse" else lambda error: None
