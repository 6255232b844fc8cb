"""A SentencePiece model that does byte-pair encoding over bytes (Kudo and Richardson 2018, arXiv:1808.06226).

Each byte is the Latin-1 character of that number, and each token's score is the negative rank of its merge. The model
is a protocol buffer; `sentencepiece_model.proto` of https://github.com/google/sentencepiece has the numbers below.
"""

import struct

from keras_ft.text.byte_pair_vocabulary import BYTES, BytePairVocabulary

_NORMAL, _UNKNOWN, _CONTROL = 1, 2, 3
_BYTE_PAIR_ENCODING = 2
_NEVER = "\u0200"  # no byte
NUL = "\u0100"  # stands for byte 0, which ends strings inside the automaton


def build_byte_pair_model(vocabulary: BytePairVocabulary) -> bytes:
    """The serialized model: each piece has the id of its token, and one that is never seen, unknown, comes last."""
    pieces = [_piece(i, token, vocabulary) for i, token in enumerate(vocabulary.tokens)]
    pieces.append(_message(1, _message(1, _NEVER.encode()) + _number(3, _UNKNOWN)))
    trainer = _number(3, _BYTE_PAIR_ENCODING)
    no_dummy_prefix, keep_spaces, no_escaping = _number(3, 0), _number(4, 0), _number(5, 0)
    normalizer = _message(1, b"identity") + no_dummy_prefix + keep_spaces + no_escaping
    return b"".join(pieces) + _message(2, trainer) + _message(3, normalizer)


def _piece(i: int, token: str, vocabulary: BytePairVocabulary) -> bytes:
    if token in vocabulary.ranks or token in BYTES:
        text = "".join(chr(BYTES[character]) for character in token).replace("\0", NUL)
        # The score of a byte means nothing: bytes are there from the beginning.
        score, kind = -float(vocabulary.ranks.get(token, len(vocabulary))), _NORMAL
    else:
        text, score, kind = f"{_NEVER}{i}", 0.0, _CONTROL
    return _message(1, _message(1, text.encode()) + b"\x15" + struct.pack("<f", score) + _number(3, kind))


def _varint(number: int) -> bytes:
    result = bytearray()
    while number > 0x7F:
        result.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*result, number])


def _message(field: int, content: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(content)) + content


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)
