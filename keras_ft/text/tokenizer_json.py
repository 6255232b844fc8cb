"""Hugging Face's `tokenizer.json`: what its WordPiece tokenizers do, in our options, and the way back.

Its normalizers and pre-tokenizers are read where they do to every text exactly what our table of characters does;
anything else is refused by name. Source: https://github.com/huggingface/tokenizers.
"""

import json
from pathlib import Path
from typing import Any

from keras_ft.errors import RequestError
from keras_ft.text.vocabulary import SPECIAL_TOKENS, Vocabulary, read_json

Json = dict[str, Any]
PRE_TOKENIZERS = {"BertPreTokenizer": "bert", "Whitespace": "whitespace", "WhitespaceSplit": "whitespace_split"}


def read_tokenizer_json(path: Path, special_tokens: dict[str, str]) -> tuple[Vocabulary, Json]:
    """The vocabulary, and keyword arguments of `WordPieceTokenizer`.

    Args:
        path: the file.
        special_tokens: role → token, as the files beside it say; what this file says of unk, cls and sep wins.

    Raises:
        RequestError: it is no such file, or asks for what cannot be done exactly.
    """
    content = read_json(path)
    model = content.get("model") or {}
    vocabulary = Vocabulary.from_tokenizer_json(path, special_tokens | _framing(path, content.get("post_processor")))
    options = {
        **_characters(path, content.get("normalizer")),
        "pre_tokenizer": _words(path, content.get("pre_tokenizer")),
        "max_characters_per_word": model.get("max_input_chars_per_word", 100),
        "continuation": model.get("continuing_subword_prefix", "##"),
        "added_tokens": _added_tokens(path, content.get("added_tokens") or [], vocabulary),
    }
    return vocabulary, options


def _characters(path: Path, normalizer: Json | None) -> Json:
    """Options from the normalizer: BertNormalizer, then NFD with StripAccents, and Lowercase, each where wanted.

    Strip changes nothing, since no word holds a space; and Lowercase gives the same before, between and after the other
    two, which a test shows for every code point.
    """
    steps = [step for step in _steps(normalizer, "normalizers") if step.get("type") != "Strip"]
    names = [step.get("type") for step in steps]
    chain = " + ".join(map(str, names))
    rest = names[1:] if names[:1] == ["BertNormalizer"] else names
    for name in rest:
        if name not in ("BertNormalizer", "NFD", "StripAccents", "Lowercase"):
            raise RequestError(
                f"{path}: normalizer {name!r} cannot be done exactly in the graph:"
                " only BertNormalizer, Lowercase, Strip, and NFD with StripAccents can"
            )
    if "BertNormalizer" in rest:
        raise RequestError(f"{path}: normalizer is {chain}: BertNormalizer should come first, once")
    marks = [name for name in rest if name != "Lowercase"]
    if marks not in ([], ["NFD", "StripAccents"]):
        raise RequestError(f"{path}: normalizer is {chain}: only NFD followed by StripAccents can be read")
    options = _bert_options(steps[0]) if rest is not names else _bert_options(None)
    if marks and options["strip_accents"]:
        raise RequestError(f"{path}: normalizer is {chain}: it strips accents twice, of which one can be read")
    return {**options, "lowercase": options["lowercase"] or "Lowercase" in rest, "strip_marks": bool(marks)}


def _bert_options(normalizer: Json | None) -> Json:
    """What a BertNormalizer does; without one, nothing."""
    if normalizer is None:
        return dict.fromkeys(("clean_text", "split_chinese", "lowercase", "strip_accents"), False)
    lowercase, strip = normalizer.get("lowercase", True), normalizer.get("strip_accents")
    return {
        "clean_text": normalizer.get("clean_text", True),
        "split_chinese": normalizer.get("handle_chinese_chars", True),
        "lowercase": lowercase,
        "strip_accents": lowercase if strip is None else strip,
    }


def _words(path: Path, pre_tokenizer: Json | None) -> str:
    steps = _steps(pre_tokenizer, "pretokenizers")
    names = [step.get("type") for step in steps]
    if names == ["WhitespaceSplit", "Punctuation"] and steps[1].get("behavior", "Isolated") == "Isolated":
        return "bert"
    kinds = [name for i, name in enumerate(names) if name != "WhitespaceSplit" or i == len(names) - 1 == 0]
    kinds = kinds or names[:1]
    if len(kinds) == 1 and kinds[0] in PRE_TOKENIZERS:
        return PRE_TOKENIZERS[kinds[0]]
    raise RequestError(
        f"{path}: pre_tokenizer is {' + '.join(map(str, names)) or None!r}: only {', '.join(PRE_TOKENIZERS)},"
        " or WhitespaceSplit + Punctuation can be read"
    )


def _steps(part: Json | None, key: str) -> list[Json]:
    """The steps of a normalizer or pre-tokenizer, sequences within sequences laid out flat."""
    if not part:
        return []
    if part.get("type") != "Sequence":
        return [part]
    return [step for child in part.get(key) or [] for step in _steps(child, key)]


def _framing(path: Path, processor: Json | None) -> dict[str, str]:
    """The cls and sep tokens of a post-processor that frames as BERT does: [CLS] a [SEP], or [CLS] a [SEP] b [SEP]."""
    if not processor:
        return {}
    kind = processor.get("type")
    if kind == "BertProcessing":
        return {"cls": processor["cls"][0], "sep": processor["sep"][0]}
    template = [_template(processor.get(part) or []) for part in ("single", "pair")]
    if kind == "TemplateProcessing" and len(template[0]) == 3:
        cls, sep = template[0][0][0], template[0][2][0]
        single = [(cls, 0), ("A", 0), (sep, 0)]
        if template == [single, [*single, ("B", 1), (sep, 1)]]:
            return {"cls": cls, "sep": sep}
    raise RequestError(
        f"{path}: post_processor {kind!r} frames texts otherwise than [CLS] a [SEP] b [SEP], as BERT does"
    )


def _template(pieces: list[Json]) -> list[tuple[str, int]]:
    """A template's special tokens and sequences, each with its segment."""
    return [(part["id"], part.get("type_id", 0)) for piece in pieces for part in piece.values()]


def _added_tokens(path: Path, tokens: list[Json], vocabulary: Vocabulary) -> list[str]:
    """Tokens to be found in a text as written, apart from those that frame it or stand for others."""
    roles = {vocabulary.tokens[i] for i in vocabulary.special_ids}
    others = [token for token in tokens if token["content"] not in roles]
    for token in others:
        for flag, what in [
            ("single_word", "matches whole words only"),
            ("lstrip", "takes the spaces before it"),
            ("rstrip", "takes the spaces after it"),
            ("normalized", "matches in the normalized text"),
        ]:
            if token.get(flag):
                raise RequestError(
                    f"{path}: added token {token['content']!r} {what} ({flag}): this cannot be done exactly in the"
                    f" graph; set {flag} to false there, or remove the token"
                )
    return [token["content"] for token in others]


def write_tokenizer_json(tokenizer: Any, path: Path) -> None:
    """Write a `WordPieceTokenizer` so that Hugging Face's `tokenizers` gives the same ids and offsets.

    Special tokens that are written in a text come out as such only if they do so here.
    """
    vocabulary = tokenizer.vocabulary
    found = [*tokenizer.added_tokens]
    if tokenizer.special_tokens_in_text:
        found += [vocabulary.tokens[i] for i in vocabulary.special_ids if vocabulary.tokens[i] not in found]
    cls, sep = vocabulary.special_tokens["cls"], vocabulary.special_tokens["sep"]
    content = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [_added(vocabulary, token) for token in sorted(found, key=vocabulary.token_to_id.__getitem__)],
        "normalizer": _normalizer(tokenizer),
        "pre_tokenizer": {"type": next(k for k, v in PRE_TOKENIZERS.items() if v == tokenizer.pre_tokenizer)},
        "post_processor": _post_processor(vocabulary, cls, sep),
        "decoder": {"type": "WordPiece", "prefix": tokenizer.continuation, "cleanup": False},
        "model": {
            "type": "WordPiece",
            "unk_token": vocabulary.special_tokens["unk"],
            "continuing_subword_prefix": tokenizer.continuation,
            "max_input_chars_per_word": tokenizer.max_characters_per_word,
            "vocab": vocabulary.token_to_id,
        },
    }
    path.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def _normalizer(tokenizer: Any) -> Json:
    bert = {
        "type": "BertNormalizer",
        "clean_text": tokenizer.clean_text,
        "handle_chinese_chars": tokenizer.split_chinese,
        "strip_accents": tokenizer.strip_accents and not tokenizer.strip_marks,
        "lowercase": tokenizer.lowercase and not tokenizer.strip_marks,
    }
    if not tokenizer.strip_marks:
        return bert
    steps = [bert, {"type": "NFD"}, {"type": "StripAccents"}]
    return {"type": "Sequence", "normalizers": steps + [{"type": "Lowercase"}] * tokenizer.lowercase}


def _post_processor(vocabulary: Vocabulary, cls: str, sep: str) -> Json:
    def special(token: str, segment: int) -> Json:
        return {"SpecialToken": {"id": token, "type_id": segment}}

    def sequence(name: str, segment: int) -> Json:
        return {"Sequence": {"id": name, "type_id": segment}}

    single = [special(cls, 0), sequence("A", 0), special(sep, 0)]
    ids = {token: vocabulary.token_to_id[token] for token in (cls, sep)}
    return {
        "type": "TemplateProcessing",
        "single": single,
        "pair": [*single, sequence("B", 1), special(sep, 1)],
        "special_tokens": {token: {"id": token, "ids": [i], "tokens": [token]} for token, i in ids.items()},
    }


def _added(vocabulary: Vocabulary, token: str) -> Json:
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    return {"id": vocabulary.token_to_id[token], "content": token, **flags, "special": token in SPECIAL_TOKENS.values()}
