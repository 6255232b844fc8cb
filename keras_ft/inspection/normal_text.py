"""What two texts have in common that differ only in case, width, white space or punctuation."""

import re
import sys
import unicodedata

_LAST_PLANE_WITH_PUNCTUATION = 0x20000
_WITH_MEANING = frozenset("-#%")  # where they are attached to a word or number; + and − are symbols and stay anyway
_LOOSE = re.compile(r"-(?!\.?\d)|(?<=[\w-])-|(?<!\w)(?<!\d\s)[#%]+(?!\w)")
_MINUS = re.compile(r"(?<![\w-])−(?=\.?\d)")
_EMOTICON = re.compile(r"[:;=][-'^]?[()\[\]/\\|<>*]")


def _translation() -> dict[int, str | None]:
    table: dict[int, str | None] = {}
    for code in range(min(_LAST_PLANE_WITH_PUNCTUATION, sys.maxunicode)):
        if chr(code) in _WITH_MEANING:
            continue
        category = unicodedata.category(chr(code))
        if category[0] in "PZ" or category == "Cc":
            table[code] = " "
        elif category == "Cf":  # invisible characters, which separate nothing
            table[code] = None
    return table


_SEPARATORS = _translation()


def normalize(text: str) -> str:
    """NFKC, case folded, punctuation as one space; what can turn the meaning round stays.

    That is symbols and emoji, the sign of a number, `-5`, and `#` and `%` beside a word or number, `C#`, `5%`.
    Of a text with an emoticon, `:-)`, the punctuation stays too. A text of punctuation alone gives "".
    """
    if not text.isascii():
        text = _MINUS.sub("-", unicodedata.normalize("NFKC", text))
    text = text.casefold()
    if _EMOTICON.search(text):
        return " ".join(text.split())
    return " ".join(_LOOSE.sub(" ", text).translate(_SEPARATORS).split())
