"""One thing that was looked at, and what to do about it."""

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "note", "bad"]


@dataclass(frozen=True)
class Finding:
    """One thing looked at.

    Attributes:
        state: `ok`; `note`, worth knowing; or `bad`, something will not work.
        what: what was found.
        advice: what to do; empty where there is nothing to do.
    """

    state: State
    what: str
    advice: str = ""


def ok(what: str, advice: str = "") -> Finding:
    """All is well."""
    return Finding("ok", what, advice)


def note(what: str, advice: str = "") -> Finding:
    """Something works less well, or only where one knows of it."""
    return Finding("note", what, advice)


def bad(what: str, advice: str) -> Finding:
    """Something will not work until the advice is taken."""
    return Finding("bad", what, advice)
