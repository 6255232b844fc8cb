"""Reading the folder of a Hugging Face tokenizer that SentencePiece made."""

import re
from pathlib import Path
from typing import Any

from keras_ft.errors import RequestError
from keras_ft.text.hugging_face import special_tokens_of
from keras_ft.text.sentence_piece_json import read_sentence_piece_json
from keras_ft.text.sentence_piece_model import NORMAL, USER_DEFINED, Piece, SentencePieceModel
from keras_ft.text.sentence_piece_vocabulary import (
    ALBERT_ROLES,
    ROBERTA_ROLES,
    SentencePieceVocabulary,
    in_fairseqs_order,
)
from keras_ft.text.vocabulary import read_json

XLM_ROBERTA_FILE, ALBERT_FILE = "sentencepiece.bpe.model", "spiece.model"
NUMBER_COMMA = -100.0  # ALBERT's tokenizer parts a comma from a number before it, transformers' by this


def read_sentence_piece(folder: str | Path) -> tuple[SentencePieceModel, SentencePieceVocabulary, dict[str, Any]]:
    """Reads `tokenizer.json`, or else XLM-R's `sentencepiece.bpe.model` or ALBERT's `spiece.model`.

    Returns:
        The model, its vocabulary, and keyword arguments of `SentencePieceTokenizer`.

    Raises:
        RequestError: none of the files is there, or one asks for what cannot be done exactly.
    """
    folder = Path(folder)
    path = folder / "tokenizer_config.json"
    config = read_json(path) if path.exists() else {}
    if (folder / "tokenizer.json").exists():
        return read_sentence_piece_json(folder / "tokenizer.json", special_tokens_of(folder, config))
    if (folder / XLM_ROBERTA_FILE).exists():
        return *read_xlm_roberta(folder / XLM_ROBERTA_FILE), {}
    if not (folder / ALBERT_FILE).exists():
        raise RequestError(
            f"{folder} holds neither tokenizer.json nor {XLM_ROBERTA_FILE} or {ALBERT_FILE}: one should be there"
        )
    model, vocabulary = read_albert(folder / ALBERT_FILE)
    options = {
        "lowercase": config.get("do_lower_case", True),
        "strip_accents": not config.get("keep_accents", False),
        "plain_quotes": True,
    }
    return model, vocabulary, options


def _as_transformers(piece: Piece) -> Piece:
    """What transformers makes of a piece of ALBERT: it knows none that is matched in the text as it is written."""
    score = piece.score + NUMBER_COMMA if re.search(r"\d,$", piece.text) else piece.score
    return Piece(piece.text, score, NORMAL if piece.kind == USER_DEFINED else piece.kind)


def read_xlm_roberta(path: Path) -> tuple[SentencePieceModel, SentencePieceVocabulary]:
    """XLM-R's model file.

    Raises:
        RequestError: it is missing, or is no such file.
    """
    model = in_fairseqs_order(SentencePieceModel.read(path), path)
    return model, SentencePieceVocabulary(model, ROBERTA_ROLES, "roberta", path)


def read_albert(path: Path) -> tuple[SentencePieceModel, SentencePieceVocabulary]:
    """ALBERT's model file, as transformers takes it.

    Raises:
        RequestError: it is missing, or is no such file.
    """
    model = SentencePieceModel.read(path)
    model = model.with_pieces([_as_transformers(piece) for piece in model.pieces])
    return model, SentencePieceVocabulary(model, ALBERT_ROLES, "bert", path)
