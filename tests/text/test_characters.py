import time

import numpy as np
import pytest
import tensorflow as tf
from bert_reference import differing_lines, reference
from code_points import CODE_POINTS

from keras_ft.text import characters
from keras_ft.text.characters import ISOLATED, SPACE, WORD, CharacterTable, Normalizer, Variant
from keras_ft.text.wordpiece import WordPieceTokenizer

# Code points whose ids or offsets differ from the reference's. None.
EXCEPTIONS: set[str] = set()


def test_every_code_point_equals_the_reference(every_character):
    compare_every_code_point(every_character, lowercase=True)
    compare_every_code_point(every_character, lowercase=False)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("lowercase", "strip_accents", "split_chinese"), [(True, False, True), (False, True, True), (True, None, False)]
)
def test_every_code_point_equals_the_reference_with_other_options(
    every_character, lowercase, strip_accents, split_chinese
):
    compare_every_code_point(every_character, lowercase, strip_accents, split_chinese)


def compare_every_code_point(vocabulary, lowercase, strip_accents=None, split_chinese=True):
    """Each code point, assigned or not, between two letters and alone."""
    characters = [c for c in CODE_POINTS if c not in EXCEPTIONS]
    lines = [
        " ".join(f"a{c}b {c}" for c in characters[begin : begin + 128]) for begin in range(0, len(characters), 128)
    ]
    differing = differing_lines(
        WordPieceTokenizer(vocabulary, lowercase, strip_accents, split_chinese),
        reference(vocabulary, lowercase=lowercase, strip_accents=strip_accents, handle_chinese_chars=split_chinese),
        lines,
    )
    assert differing == []


def normalize(texts, **options):
    normalizer = Normalizer(CharacterTable.load(Variant(**options)))
    decoded = tf.strings.unicode_decode(texts, "UTF-8")
    packed, sources, row_splits = normalizer(decoded.values, decoded.row_splits)
    text = "".join(map(chr, packed.numpy() // 4))
    return text, (packed.numpy() % 4).tolist(), sources.numpy().tolist(), row_splits.numpy().tolist()


def test_one_to_one_keeps_sources_in_order():
    assert normalize(["Ab", "", ", 中"]) == (
        "ab, 中",
        [WORD, WORD, ISOLATED, SPACE, ISOLATED],
        [0, 1, 2, 3, 4],
        [0, 2, 2, 5],
    )


def test_deleted_and_expanded_characters_keep_their_sources():
    text, classes, sources, row_splits = normalize(["a\u0301\u200b각B", "\0", "é"])
    assert text == "a\u1100\u1161\u11a8be"
    assert classes == [WORD] * 6
    assert sources == [0, 3, 3, 3, 4, 6]
    assert row_splits == [0, 5, 5, 6]


def test_ideographs_stay_in_words_where_asked():
    assert normalize(["a中"], split_chinese=False)[1] == [WORD, WORD]


def test_table_records_what_it_was_made_from():
    with np.load(characters.__file__.replace("characters.py", "bert_characters.npz")) as data:
        assert str(data["tokenizers_version"]) >= "0.2"
        assert [version.split()[0] for version in data["unicode_versions"]] == [
            "lowercase",
            "decomposition",
            "nonspacing_mark",
            "punctuation",
        ]


@pytest.mark.parametrize("variant", characters.VARIANTS[::7], ids=lambda variant: variant.name)
def test_table_is_small_and_quick_to_load(variant):
    characters._data_file.cache_clear()
    begin = time.perf_counter()
    table = CharacterTable.load(variant)
    assert time.perf_counter() - begin < 0.1
    assert sum(array.nbytes for array in table) < 600_000
