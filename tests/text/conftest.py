"""Vocabularies and lines to compare tokenizers on."""

import json
import unicodedata
from pathlib import Path

import pytest
from bert_reference import PIECES, SPECIAL

from keras_ft.text.vocabulary import Vocabulary


@pytest.fixture(scope="session")
def small_vocabulary() -> Vocabulary:
    return Vocabulary(SPECIAL + list(dict.fromkeys(PIECES.split())))


@pytest.fixture(scope="session")
def every_character() -> Vocabulary:
    """Each assigned character as a word and as a continuation, so that the ids tell every code point apart."""
    characters = [chr(c) for c in range(0x21, 0x110000) if unicodedata.category(chr(c)) not in ("Cn", "Cs", "Co", "Cc")]
    return Vocabulary(SPECIAL + characters + ["##" + c for c in characters])


@pytest.fixture(scope="session")
def hard_lines() -> list[str]:
    """Lines that broke, or could break, a tokenizer: one JSON string a line."""
    text = (Path(__file__).parent / "hard_lines.txt").read_text("utf-8")
    return [json.loads(line) for line in text.splitlines()]
