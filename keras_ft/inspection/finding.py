"""What an inspection found wrong, and where."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

Severity = Literal["problem", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("problem", "warning", "note")
PLACES = 5  # shown of each finding
EXCERPT = 60  # characters


@dataclass(frozen=True)
class Place:
    """A row that a finding speaks of.

    Attributes:
        where: "train.jsonl line 17".
        shows: an excerpt of its text or what else there is to see, perhaps empty.
    """

    where: str
    shows: str = ""

    def __str__(self) -> str:
        return f"{self.where}: {self.shows}" if self.shows else self.where


@dataclass(frozen=True)
class Finding:
    """One kind of defect in one split.

    Attributes:
        kind: a name that programs can rely on.
        severity: `problem`: training would be refused or its figures would be wrong; `warning`: it likely hurts;
            `note`: worth knowing.
        split: `train`, `validation`, `test`, or `recipe`.
        count: rows, or labels where `what` says so; exact.
        what: was found, a clause.
        advice: what to do.
        places: the first few rows.
    """

    kind: str
    severity: Severity
    split: str
    count: int
    what: str
    advice: str
    places: Sequence[Place] = field(default_factory=list)

    def writable(self) -> "Finding":
        """The same in characters that can be written, whatever the names of files and columns are."""
        places = [Place(writable(place.where), writable(place.shows)) for place in self.places]
        return replace(self, what=writable(self.what), advice=writable(self.advice), places=places)

    def to_json(self) -> dict[str, Any]:
        """As one object."""
        return {
            "kind": self.kind,
            "severity": self.severity,
            "split": self.split,
            "count": self.count,
            "what": self.what,
            "advice": self.advice,
            "where": [{"place": place.where, "shows": place.shows} for place in self.places],
        }


def worst_first(findings: Sequence[Finding]) -> list[Finding]:
    """By severity, then by count."""
    return sorted(findings, key=lambda finding: (SEVERITIES.index(finding.severity), -finding.count))


def excerpt(text: str, at: int = 0) -> str:
    r"""About 60 characters of a text round the one at `at`; what cannot be seen is written as `\u200b`."""
    start = max(0, min(at - EXCERPT // 3, len(text) - EXCERPT))
    cut = text[start : start + EXCERPT]
    seen = "".join(char if _is_visible(char) else f"\\u{ord(char):04x}" for char in cut)
    return f"{'…' if start else ''}{seen}{'…' if start + EXCERPT < len(text) else ''}"


def _is_visible(char: str) -> bool:
    return char == "\u200d" or unicodedata.category(char)[0] != "C"  # U+200D joins emoji


def writable(text: str) -> str:
    r"""Half a surrogate pair, which UTF-8 cannot hold, as `\ud800`: a key in JSON may have one, or a file's name."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode("utf-8")


def counted(count: int, singular: str, plural: str = "") -> str:
    """`1 row`, `2,000 rows`."""
    return f"{count:,} {singular if count == 1 else plural or singular + 's'}"


def share(part: float, whole: float) -> str:
    """A part as a percentage: `12 %`, `0.35 %`; 0 and 100 only where nothing or all is meant."""
    percent = 100 * part / whole if whole else 0.0
    if 99.5 <= percent < 100:
        return f"{min(percent, 99.9):.1f} %"
    return f"{percent:.0f} %" if percent >= 10 or percent == 0 else f"{percent:.2g} %"
