"""Texts of the data, short enough to be shown."""

import unicodedata

LOOK_BACK = 20  # characters in which a space is looked for, so that no word is cut apart


def shortened(text: str, characters: int) -> str:
    """A text as it is, or its beginning and how long it is; cut at a space if one is near, never before a mark.

    Args:
        text: of any length.
        characters: the most of it that are shown.
    """
    if len(text) <= characters:
        return text
    end = characters
    while end > 1 and unicodedata.category(text[end]) in ("Mn", "Mc", "Me"):
        end -= 1
    space = next((i for i in range(end, max(0, end - LOOK_BACK), -1) if text[i].isspace()), end)
    return f"{text[:space]} … ({len(text):,} characters)"
