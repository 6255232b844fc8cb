"""Hugging Face's `tokenizer.json` of byte-level byte-pair tokenizers, in our options.

What does to every text exactly what ours does is read; anything else is refused by name.
Source: https://github.com/huggingface/tokenizers.
"""

from pathlib import Path
from typing import Any

from keras_ft.errors import RequestError
from keras_ft.text.byte_pair_vocabulary import BytePairVocabulary, Merge, tokens_in_order
from keras_ft.text.vocabulary import read_json

Json = dict[str, Any]
_PLAIN_MODEL = {  # what else a model may ask for, and what it says where it does not
    "dropout": (None, 0, 0.0),
    "continuing_subword_prefix": (None, ""),
    "end_of_word_suffix": (None, ""),
    "byte_fallback": (None, False),
    "ignore_merges": (None, False),
}


def read_byte_pair_json(path: Path, special_tokens: dict[str, str]) -> tuple[BytePairVocabulary, Json]:
    """The vocabulary, and keyword arguments of `BytePairTokenizer`.

    Args:
        path: the file.
        special_tokens: role → token, as the files beside it say.

    Raises:
        RequestError: it is no such file, or asks for what cannot be done exactly.
    """
    content = read_json(path)
    model = content.get("model") or {}
    kind = model.get("type", "BPE" if "merges" in model else None)  # old files do not say
    if kind != "BPE":
        raise RequestError(f"{path}: model type is {kind!r}: only 'BPE' can be read here")
    for key, plain in _PLAIN_MODEL.items():
        if model.get(key) not in plain:
            raise RequestError(f"{path}: model has {key} {model[key]!r}: only models without it can be read")
    if _steps(content.get("normalizer"), "normalizers"):
        names = " + ".join(str(step.get("type")) for step in _steps(content["normalizer"], "normalizers"))
        raise RequestError(f"{path}: normalizer is {names}: only byte-pair tokenizers without one can be read")
    decoder = (content.get("decoder") or {}).get("type", "ByteLevel")
    if decoder != "ByteLevel":
        raise RequestError(f"{path}: decoder is {decoder!r}: only ByteLevel can be read")
    added, vocab = content.get("added_tokens") or [], model.get("vocab")
    if not isinstance(vocab, dict):
        raise RequestError(f"{path}: model.vocab is no object: it should give each token its id")
    ids = vocab | {token["content"]: token["id"] for token in added}
    options: Json = {"add_prefix_space": _prefix(path, content.get("pre_tokenizer")), **added_options(path, added)}
    framing = _post_processor(path, content.get("post_processor"), options)
    merges = [_merge(path, merge) for merge in model.get("merges") or []]
    tokens = tokens_in_order(ids, path)
    roles = {role: token for role, token in (special_tokens | framing).items() if token in ids}
    vocabulary = BytePairVocabulary(tokens, merges, roles or None, source=path)
    return vocabulary, only_added(options, vocabulary)


def check_pairs(path: Path) -> None:
    """Refuse a `tokenizer.json` that frames a pair of texts otherwise than RoBERTa does.

    Raises:
        RequestError: it does.
    """
    for step in _steps(read_json(path).get("post_processor"), "processors"):
        pair = [part for piece in step.get("pair") or [] for part in piece.values()]
        names = [str(part["id"]) for part in pair]
        as_roberta = len(names) == 6 and names == [names[0], "A", names[2], names[2], "B", names[2]]
        if pair and not (as_roberta and not any(part.get("type_id") for part in pair)):
            raise RequestError(
                f"{path}: post_processor frames pairs as {' '.join(names)}: of byte-pair tokenizers only RoBERTa's"
                " <s> A </s> </s> B </s>, all of segment 0, can be read"
            )


def added_options(path: Path, tokens: list[Json]) -> Json:
    """Options from added tokens, each with its flags.

    Raises:
        RequestError: one is matched in a way that cannot be done.
    """
    for token in tokens:
        for flag, what in [("single_word", "matches whole words only"), ("rstrip", "takes the spaces after it")]:
            if token.get(flag):
                raise RequestError(
                    f"{path}: added token {token['content']!r} {what} ({flag}): this cannot be done exactly in the"
                    f" graph; set {flag} to false there, or remove the token"
                )
    return {
        "tokens_in_text": [token["content"] for token in tokens if not token.get("special", False)],
        "takes_spaces_before": [token["content"] for token in tokens if token.get("lstrip")],
    }


def only_added(options: Json, vocabulary: BytePairVocabulary) -> Json:
    """The options without tokens that merges make: those come out of texts anyway."""
    added = set(vocabulary.added_tokens)
    keys = ("tokens_in_text", "takes_spaces_before")
    return options | {key: [token for token in options.get(key, []) if token in added] for key in keys}


def _steps(part: Json | None, key: str) -> list[Json]:
    """The steps of a part, sequences within sequences laid out flat."""
    if not part:
        return []
    if part.get("type") != "Sequence":
        return [part]
    return [step for child in part.get(key) or [] for step in _steps(child, key)]


def _prefix(path: Path, pre_tokenizer: Json | None) -> bool:
    """Whether the pre-tokenizer, which must be GPT-2's, puts a space before a text."""
    steps = _steps(pre_tokenizer, "pretokenizers")
    names = " + ".join(str(step.get("type")) for step in steps) or None
    if names != "ByteLevel":
        raise RequestError(f"{path}: pre_tokenizer is {names}: only ByteLevel, as GPT-2 and RoBERTa have, can be read")
    if not steps[0].get("use_regex", True):
        raise RequestError(f"{path}: pre_tokenizer has use_regex false: only GPT-2's pattern can be read")
    return bool(steps[0].get("add_prefix_space", True))


def _post_processor(path: Path, processor: Json | None, options: Json) -> dict[str, str]:
    """Sets `trim_offsets`; returns role → token of what frames a text."""
    framing: dict[str, str] = {}
    options["trim_offsets"] = False
    for step in _steps(processor, "processors"):
        kind = step.get("type")
        if kind == "TemplateProcessing":
            framing |= _template(path, step.get("single") or [])
            continue
        if kind not in ("ByteLevel", "RobertaProcessing"):
            raise RequestError(
                f"{path}: post_processor {kind!r} cannot be read:"
                " only ByteLevel, RobertaProcessing and TemplateProcessing can"
            )
        if kind == "RobertaProcessing":
            framing |= {"start": step["cls"][0], "end": step["sep"][0]}
        if step.get("trim_offsets", True):
            options["trim_offsets"] = True
            if bool(step.get("add_prefix_space", True)) != options["add_prefix_space"]:
                raise RequestError(
                    f"{path}: post_processor and pre_tokenizer have different add_prefix_space, so that offsets lose"
                    " or keep a space of the text: make them equal"
                )
    return framing


def _template(path: Path, single: list[Json]) -> dict[str, str]:
    names = [next(iter(piece.values())).get("id") for piece in single]
    if "A" in names and len(names) <= 3 and names.index("A") <= 1 and len(names) - names.index("A") <= 2:
        place = names.index("A")
        before, behind = names[:place], names[place + 1 :]
        return {role: tokens[0] for role, tokens in [("start", before), ("end", behind)] if tokens}
    raise RequestError(f"{path}: post_processor frames texts with {names}: at most one token before and after can be")


def _merge(path: Path, merge: Any) -> Merge:
    """A merge is written as a pair, or in old files as a string with a space."""
    parts = merge.split(" ") if isinstance(merge, str) else merge
    if isinstance(parts, list) and len(parts) == 2 and all(isinstance(part, str) and part for part in parts):
        return parts[0], parts[1]
    raise RequestError(f"{path}: {str(merge)[:40]!r} is no merge: it should be two tokens")
