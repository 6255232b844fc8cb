"""Hugging Face's `tokenizer.json` of unigram tokenizers (XLM-R, ALBERT), as a SentencePiece model, and the way back.

What does to every text what SentencePiece does is read; anything else is refused by name.
Source: https://github.com/huggingface/tokenizers.
"""

import base64
import binascii
import json
import re
from pathlib import Path
from typing import Any

from keras_ft.errors import RequestError
from keras_ft.text.sentence_piece_model import (
    BYTE,
    CONTROL,
    NORMAL,
    SPACE,
    UNIGRAM,
    UNKNOWN,
    UNUSED,
    USER_DEFINED,
    Piece,
    SentencePieceModel,
)
from keras_ft.text.sentence_piece_vocabulary import SentencePieceVocabulary
from keras_ft.text.vocabulary import read_json

Json = dict[str, Any]
QUOTES = ("``", "''")
ORDER = ("quotes", "NFKD", "StripAccents", "Lowercase", "Precompiled", "spaces")
USUAL = {"pad": ("<pad>", "[PAD]"), "mask": ("<mask>", "[MASK]")}


def read_sentence_piece_json(
    path: Path, special_tokens: dict[str, str]
) -> tuple[SentencePieceModel, SentencePieceVocabulary, Json]:
    """The model, its vocabulary, and keyword arguments of `SentencePieceTokenizer`.

    Args:
        path: the file.
        special_tokens: role → token, as the files beside it say.

    Raises:
        RequestError: it is no such file, or asks for what cannot be done exactly.
    """
    content = read_json(path)
    model = content.get("model") or {}
    if model.get("type") != "Unigram":
        raise RequestError(f"{path}: model type is {model.get('type')!r}: only 'Unigram' can be read here")
    charsmap, options = _normalization(path, content.get("normalizer"))
    _check_words(path, content.get("pre_tokenizer"))
    cls, sep, frames_as = _frame(path, content.get("post_processor"))
    pieces = _pieces(path, model, content.get("added_tokens") or [])
    texts = {piece.text for piece in pieces}
    roles = {role: next((name for name in names if name in texts), names[0]) for role, names in USUAL.items()}
    roles |= {role: token for role, token in special_tokens.items() if token in texts}
    unk = next((piece.text for piece in pieces if piece.kind == UNKNOWN), None)
    if unk is None:
        raise RequestError(f"{path}: model.unk_id is {model.get('unk_id')!r}: it should be the number of a piece")
    made = SentencePieceModel(pieces, byte_fallback=bool(model.get("byte_fallback")), charsmap=charsmap)
    vocabulary = SentencePieceVocabulary(made, roles | {"unk": unk, "cls": cls, "sep": sep}, frames_as, path)
    return made, vocabulary, options


def _pieces(path: Path, model: Json, added: list[Json]) -> list[Piece]:
    """The pieces by their ids; special ones stay out of texts."""
    special = {token["content"] for token in added if token.get("special")}
    found = [token["content"] for token in added if not token.get("special")]
    if found:
        raise RequestError(
            f"{path}: added token {found[0]!r} is found in texts, which cannot be done here: mark it as special there,"
            " or remove it"
        )
    try:
        pieces = [Piece(str(text), float(score)) for text, score in model["vocab"]]
    except (KeyError, TypeError, ValueError):
        raise RequestError(f"{path}: model.vocab should be a list of pieces and their scores") from None
    for token in sorted(added, key=lambda token: token["id"]):
        if token["id"] == len(pieces):
            pieces.append(Piece(token["content"]))
        elif not (token["id"] < len(pieces) and pieces[token["id"]].text == token["content"]):
            raise RequestError(f"{path}: the id {token['id']} of {token['content']!r} is not that of its piece")

    def kind(i: int, text: str) -> int:
        if i == model.get("unk_id"):
            return UNKNOWN
        if text in special:
            return CONTROL
        return BYTE if model.get("byte_fallback") and re.fullmatch("<0x[0-9A-F]{2}>", text) else NORMAL

    kinds = [kind(i, piece.text) for i, piece in enumerate(pieces)]
    return [
        Piece(piece.text, piece.score if kind == NORMAL else 0.0, kind)
        for piece, kind in zip(pieces, kinds, strict=True)
    ]


def _normalization(path: Path, normalizer: Json | None) -> tuple[bytes, Json]:
    """The compiled rules, and options."""
    steps = [step for step in _steps(normalizer, "normalizers") if step.get("type") != "Strip"]
    names = [_name(step) for step in steps]
    order = [ORDER.index(name) if name in ORDER else -1 for name in names]
    accents = [name in names for name in ("NFKD", "StripAccents")]
    if -1 in order or order != sorted(order) or names.count("Precompiled") != 1 or accents[0] != accents[1]:
        chain = " + ".join(str(step.get("type")) for step in steps) or None
        raise RequestError(
            f"{path}: normalizer is {chain}: only a Precompiled one, after XLM-R's and ALBERT's others, can be read"
        )
    quotes = [step["pattern"]["String"] for step, name in zip(steps, names, strict=True) if name == "quotes"]
    if quotes and sorted(quotes) != sorted(QUOTES):
        raise RequestError(f"{path}: normalizer replaces {quotes[0]} alone: only `` and '' together can be read")
    rules = next(step for step in steps if step.get("type") == "Precompiled").get("precompiled_charsmap")
    try:
        charsmap = base64.b64decode(str(rules), validate=True)
    except (TypeError, ValueError, binascii.Error):
        raise RequestError(f"{path}: normalizer Precompiled has no rules that can be read") from None
    options = {"plain_quotes": bool(quotes), "strip_accents": accents[0], "lowercase": "Lowercase" in names}
    return charsmap, options


def _name(step: Json) -> str:
    """What a step does, in the words of `ORDER`."""
    if step.get("type") != "Replace":
        return str(step.get("type"))
    pattern, content = step.get("pattern") or {}, step.get("content")
    if pattern.get("String") in QUOTES and content == '"':
        return "quotes"
    return "spaces" if pattern.get("Regex") == " {2,}" and content in (" ", SPACE) else "Replace"


def _check_words(path: Path, pre_tokenizer: Json | None) -> None:
    """Refuse a pre-tokenizer that does not put a space before each word."""
    steps = _steps(pre_tokenizer, "pretokenizers")
    names = [step.get("type") for step in steps]
    last = steps[-1] if steps else {}
    scheme = last.get("prepend_scheme", "always" if last.get("add_prefix_space", True) else "never")
    schemes = ("always",) if len(steps) == 2 else ("always", "first")
    if (
        names not in (["Metaspace"], ["WhitespaceSplit", "Metaspace"])
        or scheme not in schemes
        or last.get("replacement", SPACE) != SPACE
        or not last.get("split", True)
    ):
        raise RequestError(
            f"{path}: pre_tokenizer is {' + '.join(map(str, names)) or None}: only Metaspace, which puts {SPACE} before"
            " each word, alone or after WhitespaceSplit, can be read"
        )


def _frame(path: Path, processor: Json | None) -> tuple[str, str, str]:
    """The cls and sep tokens, and which way pairs are framed."""
    kind = (processor or {}).get("type")
    if processor and kind in ("RobertaProcessing", "BertProcessing"):
        return processor["cls"][0], processor["sep"][0], "roberta" if kind == "RobertaProcessing" else "bert"
    single, pair = (_template((processor or {}).get(part) or []) for part in ("single", "pair"))
    if kind == "TemplateProcessing" and len(single) == 3:
        cls, sep = single[0][0], single[2][0]
        begin = [(cls, 0), ("A", 0), (sep, 0)]
        if single == begin and pair == [*begin, (sep, 0), ("B", 0), (sep, 0)]:
            return cls, sep, "roberta"
        if single == begin and pair == [*begin, ("B", 1), (sep, 1)]:
            return cls, sep, "bert"
    raise RequestError(
        f"{path}: post_processor {kind!r} frames texts otherwise than <s> a </s> </s> b </s> or [CLS] a [SEP] b [SEP]"
    )


def _template(pieces: list[Json]) -> list[tuple[str, int]]:
    return [(part["id"], part.get("type_id", 0)) for piece in pieces for part in piece.values()]


def _steps(part: Json | None, key: str) -> list[Json]:
    """The steps of a part, sequences within sequences laid out flat."""
    if not part:
        return []
    if part.get("type") != "Sequence":
        return [part]
    return [step for child in part.get(key) or [] for step in _steps(child, key)]


def write_sentence_piece_json(tokenizer: Any, path: Path) -> None:
    """Write a `SentencePieceTokenizer` for Hugging Face's `tokenizers`.

    Raises:
        RequestError: these cannot do what its model does.
    """
    model, vocabulary = tokenizer.model, tokenizer.vocabulary
    if model.kind != UNIGRAM or any(piece.kind in (USER_DEFINED, UNUSED) for piece in model.pieces):
        raise RequestError(
            "the SentencePiece model is no unigram one, or has user-defined or unused pieces: tokenizers have no such"
        )
    quotes = [{"type": "Replace", "pattern": {"String": quote}, "content": '"'} for quote in QUOTES]
    charsmap = base64.b64encode(model.charsmap).decode()
    metaspace = {"type": "Metaspace", "replacement": SPACE, "prepend_scheme": "always", "split": True}
    content = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            _added(i, piece.text) for i, piece in enumerate(model.pieces) if piece.kind in (CONTROL, UNKNOWN)
        ],
        "normalizer": {
            "type": "Sequence",
            "normalizers": [
                *(quotes if tokenizer.plain_quotes else []),
                *([{"type": "NFKD"}, {"type": "StripAccents"}] if tokenizer.strip_accents else []),
                *([{"type": "Lowercase"}] if tokenizer.lowercase else []),
                {"type": "Precompiled", "precompiled_charsmap": charsmap},
            ],
        },
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, metaspace]},
        "post_processor": _post_processor(vocabulary),
        "decoder": metaspace,
        "model": {
            "type": "Unigram",
            "unk_id": vocabulary.unk_id,
            "byte_fallback": model.byte_fallback,
            "vocab": [[piece.text, piece.score] for piece in model.pieces],
        },
    }
    path.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def _post_processor(vocabulary: SentencePieceVocabulary) -> Json:
    cls, sep = vocabulary.special_tokens["cls"], vocabulary.special_tokens["sep"]
    second = vocabulary.second_segment

    def special(token: str, segment: int = 0) -> Json:
        return {"SpecialToken": {"id": token, "type_id": segment}}

    single = [special(cls), {"Sequence": {"id": "A", "type_id": 0}}, special(sep)]
    between = [special(sep)] * (len(vocabulary.between_ids) - 1)
    return {
        "type": "TemplateProcessing",
        "single": single,
        "pair": [*single, *between, {"Sequence": {"id": "B", "type_id": second}}, special(sep, second)],
        "special_tokens": {
            token: {"id": token, "ids": [vocabulary.token_to_id[token]], "tokens": [token]} for token in (cls, sep)
        },
    }


def _added(i: int, token: str) -> Json:
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    return {"id": i, "content": token, **flags, "special": True}
