"""Make keras_ft/text/byte_pair_characters.npz: the classes of characters that GPT-2's pattern tells apart.

    python scripts/make_byte_pair_characters.py

Takes 10 seconds. Needs `tokenizers`, whose regular expression is the reference: its letters, digits and white space
are those of a Unicode version newer than Python's or RE2's. keras_ft/text/byte_pair_words.py says what is in the file.
"""

from pathlib import Path

import numpy as np
import tokenizers
from tokenizers.pre_tokenizers import ByteLevel

from keras_ft.text import byte_pair_words
from keras_ft.text.byte_pair_words import LETTER, NUMBER, OTHER, SPACE, WHITE

PROBES = {"a": LETTER, "1": NUMBER, "!": OTHER, "\t": WHITE}
SURROGATES = range(0xD800, 0xE000)


def class_of(character: str, reference: ByteLevel) -> int:
    """The class of the probe that a character makes one word with."""
    found = [kind for probe, kind in PROBES.items() if len(reference.pre_tokenize_str(probe + character)) == 1]
    return SPACE if character == " " else found[0]


def main() -> None:
    """Ask about every code point, and write where runs of one class begin."""
    reference = ByteLevel(add_prefix_space=False, use_regex=True)
    classes = np.full(0x110000, OTHER, np.int8)
    for code_point in range(len(classes)):
        if code_point not in SURROGATES:
            classes[code_point] = class_of(chr(code_point), reference)
    starts = np.flatnonzero(np.diff(classes, prepend=-1)).astype(np.int32)
    path = Path(byte_pair_words.__file__).with_name("byte_pair_characters.npz")
    np.savez_compressed(path, starts=starts, classes=classes[starts], tokenizers=np.array(tokenizers.__version__))
    print(f"{path}: {len(starts)} runs")


if __name__ == "__main__":
    main()
