"""Counting rows by what is odd about them; of each kind the first few are kept."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from keras_ft.errors import RequestError
from keras_ft.inspection.finding import PLACES, Place

MOST_REASONS = 200
OTHER_REASONS = "is wrong in another way"


@dataclass
class Tally:
    """How many rows, and the first few of them."""

    count: int = 0
    places: list[Place] = field(default_factory=list)

    def add(self, places: Iterable[Place]) -> None:
        """Count rows; places beyond the first few are forgotten."""
        for place in places:
            self.count += 1
            if len(self.places) < PLACES:
                self.places.append(place)

    def add_one(self, place: Place) -> None:
        """Count one row."""
        self.add((place,))


class Refusals:
    """The rows that training would refuse, by reason.

    A reason is an error's message without the place, the particulars in parentheses and the advice.
    """

    def __init__(self) -> None:
        self.reasons: dict[str, Tally] = {}
        self.advice: dict[str, str] = {}

    def add(self, error: RequestError) -> None:
        """Count a row by its error; takes the place of the error's being raised."""
        where, reason, advice = _parts(str(error))
        if reason not in self.reasons and len(self.reasons) >= MOST_REASONS:
            reason, advice = OTHER_REASONS, "see each line"
        self.advice.setdefault(reason, advice)
        shows = str(error)[len(where) :].lstrip(": ").partition(";")[0]
        self.reasons.setdefault(reason, Tally()).add_one(Place(where, shows if shows != reason else ""))

    @property
    def count(self) -> int:
        """All refused rows."""
        return sum(tally.count for tally in self.reasons.values())


def _parts(message: str) -> tuple[str, str, str]:
    """`a.csv line 3: 'text' is a number (5), not a string; quote it` → place, `'text' is a number, not …`, advice."""
    match = re.match(r".+? (?:line|row|record|question|example) \d+(?=[: ])", message)
    where = match[0] if match else ""
    reason, _, advice = message[len(where) :].lstrip(": ").partition("; ")
    return where, re.sub(r" \([^()]*\)+", "", reason), advice
