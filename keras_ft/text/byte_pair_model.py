"""A SentencePiece model that does byte-pair encoding over bytes (Kudo and Richardson 2018, arXiv:1808.06226).

Each byte is the Latin-1 character of that number, and each token's score is the negative rank of its merge.
"""

from keras_ft.text.byte_pair_vocabulary import BYTES, BytePairVocabulary
from keras_ft.text.sentence_piece_model import BYTE_PAIR, CONTROL, UNKNOWN, Piece, SentencePieceModel

_NEVER = "\u0200"  # no byte
NUL = "\u0100"  # stands for byte 0, which ends strings inside the automaton


def build_byte_pair_model(vocabulary: BytePairVocabulary) -> bytes:
    """The serialized model: each piece has the id of its token, and one that is never seen, unknown, comes last."""
    pieces = [_piece(i, token, vocabulary) for i, token in enumerate(vocabulary.tokens)]
    pieces.append(Piece(_NEVER, kind=UNKNOWN))
    return SentencePieceModel(pieces, kind=BYTE_PAIR).without_normalization().to_bytes()


def _piece(i: int, token: str, vocabulary: BytePairVocabulary) -> Piece:
    if token not in vocabulary.ranks and token not in BYTES:
        return Piece(f"{_NEVER}{i}", kind=CONTROL)
    text = "".join(chr(BYTES[character]) for character in token).replace("\0", NUL)
    # The score of a byte means nothing: bytes are there from the beginning.
    return Piece(text, -float(vocabulary.ranks.get(token, len(vocabulary))))
