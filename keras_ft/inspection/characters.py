"""Scripts and odd characters, looked up for all characters of many texts at once."""

import re
from dataclasses import dataclass
from functools import cache
from html.entities import html5

import numpy as np

from keras_ft.data.rows import Rows
from keras_ft.inspection.finding import Place, excerpt

CODE_POINTS = 0x110000
NO_SCRIPT = ("Zyyy", "Zinh", "Zzzz")  # common, inherited, unknown
REPLACEMENT, CONTROL, INVISIBLE, PRIVATE, SUSPECT, UPPER, LOWER, BEGINS_MARKUP = (1 << bit for bit in range(8))
ODD_KINDS = {
    "replacement_character": REPLACEMENT,
    "control_character": CONTROL,
    "invisible_character": INVISIBLE,
    "private_use_character": PRIVATE,
}
# Zero-width space, byte order mark, soft hyphen, word joiner, overrides of the writing direction. Not the joiners,
# which emoji, Persian and Indic scripts need.
_INVISIBLE = [0xAD, 0x200B, 0x2060, 0xFEFF, *range(0x202A, 0x202F)]
_CONTROL = [code for code in [*range(0x20), *range(0x7F, 0xA0)] if chr(code) not in "\t\n\r"]
_PRIVATE = [(0xE000, 0xF900), (0xF0000, CODE_POINTS)]
_LOST_TWICE = "锟斤拷"  # two U+FFFD as UTF-8, read as GBK
_TAGS = (
    "a|abbr|b|blockquote|body|br|code|div|em|font|h[1-6]|head|hr|html|i|img|li|ol|p|pre|script|span|strong|style|sub"
)
# A tag's first attribute has a value, or there is none: `x <b and c> d` is no tag. Nothing matches a line's end, which
# also joins one text to the next.
_MARKUP = re.compile(
    rf"&(?:(?P<entity>[a-z][a-z0-9]{{1,31}};)|#\d{{1,6}};|#x[0-9a-f]{{1,6}};)|(?<![\w#])#\d{{2,4}};"
    rf"|</?(?:{_TAGS}|sup|table|td|th|tr|u|ul)(?:[ \t]+[a-z][\w:-]*[ \t]?=(?!=)[^<>\n]{{0,300}}|[ \t]*/?)>",
    re.IGNORECASE,
)


@dataclass
class Characters:
    """What the characters of some texts show.

    Attributes:
        script: `(texts,)` number of the script that most letters are of; its name is in `script_names()`.
        second: `(texts,)` number of the script that comes after it.
        letters: `(texts,)` how many letters are of the first.
        odd: kind of `ODD_KINDS`, `mojibake` or `markup` → the rows that have it, and the place of the first.
        letters_by_script: `(scripts,)`.
        upper, lower: letters of that case.
    """

    script: np.ndarray
    second: np.ndarray
    letters: np.ndarray
    odd: dict[str, list[tuple[int, int]]]
    letters_by_script: np.ndarray
    upper: int
    lower: int

    def places(self, kind: str, rows: Rows, texts: list[str]) -> list[Place]:
        """The rows of a kind, with excerpts."""
        return [Place(rows.where(row), excerpt(texts[row], at)) for row, at in self.odd[kind]]


def look_at(texts: list[str]) -> Characters:
    """Look at all characters of some texts."""
    joined = "\n".join(texts)
    codes = np.frombuffer(joined.encode("utf-32-le"), np.uint32)  # (characters,)
    ends = np.cumsum([len(text) + 1 for text in texts])
    starts = ends - [len(text) + 1 for text in texts]
    row = np.repeat(np.arange(len(texts)), ends - starts)[: len(codes)]  # (characters,)
    scripts, flags = _tables()
    names = script_names()
    found = np.bincount(row * len(names) + scripts[codes], minlength=len(texts) * len(names))
    found = found.reshape(len(texts), len(names))
    found[:, 0] = 0
    letters_by_script = found.sum(axis=0)
    script, letters = found.argmax(axis=1), found.max(axis=1)
    found[np.arange(len(texts)), script] = 0
    marks = flags[codes]
    odd = {kind: _first_by_row(np.flatnonzero(marks & bit), row, starts) for kind, bit in ODD_KINDS.items()}
    if _LOST_TWICE in joined:
        lost = [(i, text.index(_LOST_TWICE)) for i, text in enumerate(texts) if _LOST_TWICE in text]
        odd["replacement_character"] = sorted(dict([*lost, *odd["replacement_character"]]).items())
    suspects = _first_by_row(np.flatnonzero(marks & SUSPECT), row, starts)
    odd["mojibake"] = [(i, at) for i, at in suspects if _is_mojibake(texts[i])]
    broken = {i for i, _ in odd["mojibake"]}  # holds control characters too, but that is not what is wrong with it
    odd["control_character"] = [(i, at) for i, at in odd["control_character"] if i not in broken]
    begins = np.flatnonzero(marks & BEGINS_MARKUP)
    markup = np.array([at for at in begins.tolist() if _is_markup(joined, at)], np.int64)
    odd["markup"] = _first_by_row(markup, row, starts)
    return Characters(
        script=script,
        second=found.argmax(axis=1),
        letters=letters,
        odd=odd,
        letters_by_script=letters_by_script,
        upper=int(np.count_nonzero(marks & UPPER)),
        lower=int(np.count_nonzero(marks & LOWER)),
    )


@cache
def script_names() -> list[str]:
    """The scripts of Unicode by number; 0 is none."""
    from fontTools.unicodedata import Scripts, script_name

    return ["none", *(script_name(code) for code in sorted(set(Scripts.VALUES) - set(NO_SCRIPT)))]


def _first_by_row(at: np.ndarray, row: np.ndarray, starts: np.ndarray) -> list[tuple[int, int]]:
    """Rows that rising places of characters lie in → each row once, with the place of its first within its text."""
    rows, first = np.unique(row[at], return_index=True)
    return [(int(i), int(at[j] - starts[i])) for i, j in zip(rows, first, strict=True)]


def _is_markup(text: str, at: int) -> bool:
    match = _MARKUP.match(text, at)
    return match is not None and (match["entity"] is None or match["entity"] in html5)


def _is_mojibake(text: str) -> bool:
    from ftfy.badness import is_bad

    return is_bad(text)


@cache
def _tables() -> tuple[np.ndarray, np.ndarray]:
    """For each code point the number of its script, and what is odd about it; `(code points,)` uint8 each."""
    from fontTools.unicodedata import Scripts

    codes = sorted(set(Scripts.VALUES) - set(NO_SCRIPT))
    numbers = {**dict.fromkeys(NO_SCRIPT, 0), **{code: i for i, code in enumerate(codes, start=1)}}
    widths = np.diff([*Scripts.RANGES, CODE_POINTS])
    scripts = np.repeat(np.array([numbers[code] for code in Scripts.VALUES], np.uint8), widths)
    flags = np.zeros(CODE_POINTS, np.uint8)
    flags[0xFFFD] |= REPLACEMENT
    flags[[ord(char) for char in "&<#"]] |= BEGINS_MARKUP
    flags[_CONTROL] |= CONTROL
    flags[_INVISIBLE] |= INVISIBLE
    for start, stop in _PRIVATE:
        flags[start:stop] |= PRIVATE
    flags[0x80:0x100] |= SUSPECT  # what UTF-8 read as Latin-1 or Windows-1252 is full of
    for code in range(0x10000):
        if chr(code).isupper():
            flags[code] |= UPPER
        elif chr(code).islower():
            flags[code] |= LOWER
    return scripts, flags
