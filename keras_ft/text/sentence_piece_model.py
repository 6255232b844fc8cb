"""SentencePiece's model files: pieces, each at the place that is its id, and how texts are normalized.

A model is a protocol buffer; `sentencepiece_model.proto` of https://github.com/google/sentencepiece has the numbers
below. Kudo 2018, arXiv:1804.10959; Kudo and Richardson 2018, arXiv:1808.06226.
"""

import struct
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from keras_ft.errors import RequestError
from keras_ft.text.protocol_buffer import fields, message, number

SPACE = "\u2581"  # what stands for a space in pieces
NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = 1, 2, 3, 4, 5, 6
UNIGRAM, BYTE_PAIR, WORD, CHARACTER = 1, 2, 3, 4
KINDS = (UNIGRAM, BYTE_PAIR)


@dataclass(frozen=True)
class Piece:
    """A token, its score (a log probability, or minus the rank of a merge) and what kind it is."""

    text: str
    score: float = 0.0
    kind: int = NORMAL


@dataclass(frozen=True)
class SentencePieceModel:
    """What a model file says.

    Attributes:
        pieces: in the order of their ids.
        kind: `UNIGRAM` or `BYTE_PAIR`.
        byte_fallback: whether what is no piece is written in bytes.
        charsmap: compiled rules of normalization, empty for none.
        adds_space: whether a text gets a space before it.
        trims_spaces: whether spaces before and behind a text go, and one is left of several.
        escapes_spaces: whether `SPACE` stands for a space.
    """

    pieces: list[Piece] = field(repr=False)
    kind: int = UNIGRAM
    byte_fallback: bool = False
    charsmap: bytes = field(default=b"", repr=False)
    adds_space: bool = True
    trims_spaces: bool = True
    escapes_spaces: bool = True

    @classmethod
    def read(cls, path: str | Path) -> "SentencePieceModel":
        """Reads a model file.

        Raises:
            RequestError: there is no such file, or it is no model of one of `KINDS`.
        """
        try:
            model = cls.from_bytes(Path(path).read_bytes())
        except OSError as error:
            raise RequestError(f"{path} cannot be read: {error.strerror or error}") from None
        except (ValueError, IndexError, KeyError, TypeError, struct.error):
            raise RequestError(f"{path} is no SentencePiece model; fetch or copy it again") from None
        if not model.pieces or sum(piece.kind == UNKNOWN for piece in model.pieces) != 1:
            raise RequestError(f"{path} is no SentencePiece model: it should have pieces, one of them the unknown one")
        if model.kind not in KINDS:
            raise RequestError(f"{path} is a SentencePiece model of words or characters: it should be unigram or BPE")
        return model

    @classmethod
    def from_bytes(cls, content: bytes) -> "SentencePieceModel":
        """Reads a serialized model; raises ValueError or the like where it is none."""
        pieces: list[Piece] = []
        trainer: dict[int, Any] = {}
        normalizer: dict[int, Any] = {}
        for place, value in fields(content):
            if place == 1:
                said = dict(fields(value))
                score = struct.unpack("<f", said[2])[0] if 2 in said else 0.0
                pieces.append(Piece(said[1].decode(), score, said.get(3, NORMAL)))
            elif place in (2, 3):
                (trainer if place == 2 else normalizer).update(fields(value))
        return cls(
            pieces,
            kind=trainer.get(3, UNIGRAM),
            byte_fallback=bool(trainer.get(35, False)),
            charsmap=normalizer.get(2, b""),
            adds_space=bool(normalizer.get(3, True)),
            trims_spaces=bool(normalizer.get(4, True)),
            escapes_spaces=bool(normalizer.get(5, True)),
        )

    def to_bytes(self) -> bytes:
        """The serialized model."""
        pieces = [
            message(1, message(1, p.text.encode()) + b"\x15" + struct.pack("<f", p.score) + number(3, p.kind))
            for p in self.pieces
        ]
        trainer = number(3, self.kind) + number(35, self.byte_fallback)
        flags = number(3, self.adds_space) + number(4, self.trims_spaces) + number(5, self.escapes_spaces)
        normalizer = message(1, b"keras_ft") + message(2, self.charsmap) + flags
        return b"".join(pieces) + message(2, trainer) + message(3, normalizer)

    def with_pieces(self, pieces: list[Piece]) -> "SentencePieceModel":
        """The same with other pieces."""
        return replace(self, pieces=pieces)

    def normalizing(self) -> tuple["SentencePieceModel", list[bytes]]:
        """A model that only normalizes: its ids are bytes, and the user-defined pieces of this one.

        Returns:
            The model, and what each of its ids says.
        """
        whole = [piece for piece in self.pieces if piece.kind == USER_DEFINED]
        pieces = [Piece("<unk>", kind=UNKNOWN), *(Piece(f"<0x{byte:02X}>", kind=BYTE) for byte in range(256)), *whole]
        said = [b"", *(bytes([byte]) for byte in range(256)), *(piece.text.encode() for piece in whole)]
        return replace(self, pieces=pieces, kind=CHARACTER, byte_fallback=True), said

    def without_normalization(self) -> "SentencePieceModel":
        """A model that takes what `normalizing` gives."""
        return replace(self, charsmap=b"", adds_space=False, trims_spaces=False, escapes_spaces=False)
