"""The characters that tokenizers are compared on."""

import unicodedata

LAST_PLANE_WITH_CHARACTERS = 0x40000  # what lies behind, but for tags and variation selectors, has no characters yet
TAGS = range(0xE0000, 0xE0200)
EVERY = 64


def _is_compared(code: int) -> bool:
    if 0xD800 <= code < 0xE000:
        return False  # surrogates
    return code < LAST_PLANE_WITH_CHARACTERS or code in TAGS or code % EVERY == 0 or code & 0xFFFF >= 0xFFF0


CODE_POINTS = [chr(code) for code in range(0x110000) if _is_compared(code)]
"""Every code point of the planes that have characters, and of the others one in 64 and their ends."""

assert {c for c in map(chr, range(0x110000)) if unicodedata.category(c) not in ("Cn", "Co", "Cs")} <= set(CODE_POINTS)
