"""Read from Hugging Face's `tokenizers` what ALBERT's normalizers replace: keras_ft/text/replaced_characters.npz.

    python scripts/make_replaced_characters.py

NFKD with all marks stripped, and lower-casing, look at one code point at a time.
"""

from pathlib import Path

import numpy as np
from tokenizers import normalizers

TARGET = Path(__file__).parents[1] / "keras_ft" / "text" / "replaced_characters.npz"
STRIP = [normalizers.NFKD(), normalizers.StripAccents()]
VARIANTS = {"lower": [normalizers.Lowercase()], "strip": STRIP, "strip_lower": [*STRIP, normalizers.Lowercase()]}


def main() -> None:
    tables = {}
    for name, steps in VARIANTS.items():
        normalizer = normalizers.Sequence(steps)
        becomes = {c: normalizer.normalize_str(chr(c)) for c in range(0x110000) if not 0xD800 <= c < 0xE000}
        changed = {c: text for c, text in becomes.items() if text != chr(c)}
        tables[f"{name}/code_points"] = np.array(list(changed), np.int32)
        tables[f"{name}/counts"] = np.array([len(text) for text in changed.values()], np.int32)
        tables[f"{name}/outputs"] = np.array([ord(c) for text in changed.values() for c in text], np.int32)
    np.savez_compressed(TARGET, **tables)


if __name__ == "__main__":
    main()
