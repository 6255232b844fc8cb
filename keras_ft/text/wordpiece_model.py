"""tensorflow_text's WordPiece automaton over a vocabulary: what it can hold (Song et al. 2020, arXiv:2012.15524)."""

import string
from collections.abc import Sequence

import numpy as np
from tensorflow_text.core.pybinds import pywrap_fast_wordpiece_tokenizer_model_builder as builder

from keras_ft.errors import RequestError
from keras_ft.text.characters import WORDS
from keras_ft.text.vocabulary import Vocabulary

NEVER_IN_WORDS = " "
UNMATCHED = 0x10FFFF  # a noncharacter, for a character that the automaton cannot read
_MAX_TOKEN_BYTES = 256


def check_tokens(
    vocabulary: Vocabulary, clean_text: bool, pre_tokenizer: str, continuation: str, added_tokens: Sequence[str]
) -> None:
    """Refuse what the automaton could not do exactly.

    Args:
        vocabulary: the tokens.
        clean_text, pre_tokenizer, continuation, added_tokens: as `WordPieceTokenizer` has them.

    Raises:
        RequestError: it could not.
    """
    if pre_tokenizer not in WORDS:
        raise RequestError(f"pre_tokenizer {pre_tokenizer!r} is unknown; known: {', '.join(WORDS)}")
    if not continuation:
        raise RequestError("the prefix of tokens that continue a word is empty: these could not be told from others")
    if not clean_text and any("\0" in token or chr(UNMATCHED) in token for token in vocabulary.tokens):
        raise RequestError("a token holds U+0000 or U+10FFFF, and texts are not cleaned of such characters")
    never_in_words = pre_tokenizer == "bert" and all(character in string.punctuation for character in continuation)
    if continuation in vocabulary.token_to_id and not never_in_words:
        raise RequestError(f"the token {continuation!r} is also the prefix of tokens that continue a word")
    absent = [token for token in added_tokens if token not in vocabulary.token_to_id]
    if absent:
        raise RequestError(f"the added token {absent[0]!r} is not among the {len(vocabulary)} tokens")


def build_wordpiece_model(vocabulary: Vocabulary, max_characters_per_word: int, continuation: str) -> np.ndarray:
    """The automaton, as bytes `[B]` uint8.

    It cannot hold the empty token and "##", nor tokens longer than any word; no word ever matches these, so a
    string that no word contains keeps their places.

    Raises:
        RequestError: a token is longer than 256 bytes and a word could still be that token.
    """
    tokens = []
    for i, token in enumerate(vocabulary.tokens):
        text = token.removeprefix(continuation)
        if not text or len(text) > max_characters_per_word or "\0" in text:
            token = f"{NEVER_IN_WORDS}{i}"
        elif len(text.encode()) > _MAX_TOKEN_BYTES:
            raise RequestError(f"token {i}, {token[:20]!r}…, is longer than {_MAX_TOKEN_BYTES} bytes: shorten it")
        tokens.append(token)
    unknown = tokens[vocabulary.unk_id]
    max_bytes = 4 * max_characters_per_word
    model = builder.build_fast_wordpiece_model(tokens, max_bytes, continuation, unknown, True, False)
    return np.frombuffer(bytes(model), np.uint8)
