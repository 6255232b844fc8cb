"""Make keras_ft/text/bert_characters.npz: what BERT's normalizer makes of every code point, read from the reference.

    python scripts/make_bert_characters.py

Takes 5 minutes. Needs `tokenizers`, whose normalizers and pre-tokenizers are the reference; the package itself does
not need it. keras_ft/text/characters.py says how the tables are laid out. Run it again when a newer `tokenizers`
follows a newer Unicode, and look at the diff of the recorded versions.
"""

from pathlib import Path

import numpy as np
import tokenizers
from tokenizers import normalizers, pre_tokenizers
from tokenizers.normalizers import BertNormalizer

from keras_ft.text import characters
from keras_ft.text.characters import DELETED, EXPANDS, ISOLATED, PAGE_SIZE, SPACE, SYMBOL, WORD, Variant

NUM_CODE_POINTS = 0x110000
SURROGATES = range(0xD800, 0xE000)

# The reference mixes Unicode versions: its standard library lower-cases, older tables decompose and classify.
# For each property, characters that got it in the version named: the newest one that works is the version.
PROBES = {
    "lowercase": {"9.0": 0x1E900, "11.0": 0x1C90, "12.0": 0xA7BA, "14.0": 0x2C2F, "16.0": 0x1C89, "17.0": 0xA7CE},
    "decomposition": {"5.2": 0x1109A, "6.1": 0x1112E, "7.0": 0x114BB, "13.0": 0x11938, "16.0": 0x105C9},
    "nonspacing_mark": {"7.0": 0x1AB0, "8.0": 0xA69E, "9.0": 0x8D4, "11.0": 0x7FD, "14.0": 0x898, "16.0": 0x897},
    "punctuation": {"7.0": 0x2E42, "8.0": 0x115C9, "9.0": 0x2E43, "11.0": 0x2E4A, "14.0": 0x61D, "16.0": 0x1B4E},
}


PRE_TOKENIZERS = {
    "bert": pre_tokenizers.BertPreTokenizer(),
    "whitespace": pre_tokenizers.Whitespace(),
    "whitespace_split": pre_tokenizers.WhitespaceSplit(),
}


def normalizer(variant: Variant) -> normalizers.Normalizer:
    bert = BertNormalizer(
        clean_text=variant.clean_text,
        handle_chinese_chars=variant.split_chinese,
        strip_accents=variant.stripped == "accents",
        lowercase=variant.lowercase and variant.stripped != "marks",
    )
    if variant.stripped != "marks":
        return bert
    steps = [bert, normalizers.NFD(), normalizers.StripAccents()]
    return normalizers.Sequence([*steps, normalizers.Lowercase()] if variant.lowercase else steps)


def class_of(character: str, pre_tokenizer: pre_tokenizers.PreTokenizer) -> int:
    """Whether the pre-tokenizer drops a character, lets it stand alone, or in which kind of run it leaves it."""
    pieces = [piece for piece, _ in pre_tokenizer.pre_tokenize_str(f"a{character}{character}b")]
    if pieces == ["a", "b"]:
        return SPACE
    return {1: WORD, 3: SYMBOL, 4: ISOLATED}[len(pieces)]


def outputs(variant: Variant):
    """Yields for each code point the list of (code point, class) that it becomes."""
    normalize = normalizer(variant).normalize_str
    pre_tokenizer = PRE_TOKENIZERS[variant.words]
    classes: dict[str, int] = {}
    for code_point in range(NUM_CODE_POINTS):
        if code_point in SURROGATES:  # never in decoded text
            yield [(code_point, WORD)]
            continue
        result = normalize(chr(code_point))
        if len(result) == 3 and result[0] == result[2] == " ":
            yield [(ord(result[1]), ISOLATED)]
            continue
        for character in result:
            if character not in classes:
                classes[character] = class_of(character, pre_tokenizer)
        yield [(ord(character), classes[character]) for character in result]


def unicode_versions() -> list[str]:
    plain = normalizer(Variant(lowercase=False, stripped="none"))
    lower = normalizer(Variant(lowercase=True, stripped="none"))
    strip = normalizer(Variant(lowercase=False, stripped="accents"))
    has = {
        "lowercase": lambda c: lower.normalize_str(c) != plain.normalize_str(c),
        "decomposition": lambda c: strip.normalize_str(c) != c,
        "nonspacing_mark": lambda c: strip.normalize_str(c) == "",
        "punctuation": lambda c: class_of(c, PRE_TOKENIZERS["bert"]) == ISOLATED,
    }
    versions = []
    for name, probes in PROBES.items():
        known = [version for version, code_point in probes.items() if has[name](chr(code_point))]
        versions.append(f"{name} {known[-1] if known else 'before ' + next(iter(probes))}")
    return versions


def main() -> None:
    pages: dict[bytes, int] = {}
    expansions: list[int] = []
    expansion_start: dict[tuple, int] = {}
    arrays: dict[str, np.ndarray] = {}
    for variant in characters.VARIANTS:
        entries = np.zeros(NUM_CODE_POINTS, np.int32)
        for code_point, result in enumerate(outputs(variant)):
            if not result:
                entries[code_point] = DELETED
            elif len(result) == 1:
                entries[code_point] = (result[0][0] - code_point) * 4 + result[0][1]
            else:
                packed = tuple(output * 4 + output_class for output, output_class in result)
                if packed not in expansion_start:
                    expansion_start[packed] = len(expansions)
                    expansions.extend(packed)
                entries[code_point] = EXPANDS + expansion_start[packed] * 4 + len(result) - 1
        page_of = [pages.setdefault(page.tobytes(), len(pages)) for page in entries.reshape(-1, PAGE_SIZE)]
        arrays[variant.name] = np.array(page_of, np.uint16)
    path = Path(characters.__file__).with_name("bert_characters.npz")
    arrays["pages"] = np.frombuffer(b"".join(pages), np.int32).reshape(-1, PAGE_SIZE)
    arrays["expansions"] = np.array(expansions, np.int32)
    arrays["tokenizers_version"] = np.array(tokenizers.__version__)
    arrays["unicode_versions"] = np.array(unicode_versions())
    np.savez_compressed(path, allow_pickle=False, **arrays)
    print(f"{path}: {path.stat().st_size:,} bytes, {len(pages)} pages, {len(expansions)} expanded code points")
    print(f"tokenizers {tokenizers.__version__}; Unicode: {', '.join(unicode_versions())}")


if __name__ == "__main__":
    main()
