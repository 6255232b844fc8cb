"""Reading the folder of a Hugging Face BERT tokenizer."""

import json
import sys
from pathlib import Path
from typing import Any

from keras_ft.errors import RequestError
from keras_ft.text.tokenizer_json import read_tokenizer_json
from keras_ft.text.vocabulary import SPECIAL_TOKENS, Vocabulary, read_json

BERT_CLASSES = ("Bert", "DistilBert", "Electra")  # transformers has one tokenizer for all three


def read_wordpiece(folder: str | Path) -> tuple[Vocabulary, dict[str, Any]]:
    """Reads `tokenizer.json` or else `vocab.txt`, and the files beside it where present.

    `tokenizer.json` is what Hugging Face's tokenizers run, but a BertTokenizer of transformers builds its own from what
    `tokenizer_config.json` says: where the two contradict each other, the latter wins. Names of special tokens are
    taken from `tokenizer.json`, then `tokenizer_config.json`, then `special_tokens_map.json`.

    Returns:
        The vocabulary, and keyword arguments of `WordPieceTokenizer`.

    Raises:
        RequestError: neither file is there, or one asks for what cannot be done exactly.
    """
    folder = Path(folder)
    path = folder / "tokenizer_config.json"
    config = read_json(path) if path.exists() else {}
    special_tokens = special_tokens_of(folder, config)
    if (folder / "tokenizer.json").exists():
        vocabulary, options = read_tokenizer_json(folder / "tokenizer.json", special_tokens)
        return vocabulary, _as_transformers(path, config, options)
    if not (folder / "vocab.txt").exists():
        raise RequestError(f"{folder} holds neither tokenizer.json nor vocab.txt: one of them should be there")
    if config.get("do_basic_tokenize") is False:
        raise RequestError(f"{path}: do_basic_tokenize is false: only text that BERT splits into words can be read")
    options = {
        "lowercase": config.get("do_lower_case", True),
        "strip_accents": config.get("strip_accents"),
        "split_chinese": config.get("tokenize_chinese_chars", True),
    }
    return Vocabulary.from_vocab_txt(folder / "vocab.txt", special_tokens), options


def special_tokens_of(folder: Path, config: dict[str, Any]) -> dict[str, str]:
    """Role → token, as `special_tokens_map.json` and then `tokenizer_config.json`, which is given, name them."""
    names = folder / "special_tokens_map.json"
    return _special_tokens(read_json(names) if names.exists() else {}) | _special_tokens(config)


def _as_transformers(path: Path, config: dict[str, Any], options: dict[str, Any]) -> dict[str, Any]:
    """The options with what `tokenizer_config.json` says otherwise, which transformers' BertTokenizer follows."""
    if not str(config.get("tokenizer_class") or "Bert").startswith(BERT_CLASSES):
        return options  # the generic classes run tokenizer.json as it is
    done = {
        "do_lower_case": options["lowercase"],
        "strip_accents": options["strip_accents"] or options["strip_marks"],
        "tokenize_chinese_chars": options["split_chinese"],
    }
    other = {key: bool(config[key]) for key in done if config.get(key) is not None and bool(config[key]) != done[key]}
    if not other:
        return options
    told = ", ".join(f"{key} {json.dumps(value)}" for key, value in other.items())
    print(
        f"{path} says {told}, tokenizer.json otherwise; the former is followed, as transformers does", file=sys.stderr
    )
    changed = {
        "lowercase": other.get("do_lower_case", options["lowercase"]),
        "split_chinese": other.get("tokenize_chinese_chars", options["split_chinese"]),
    }
    if "do_lower_case" in other or "strip_accents" in other:
        changed |= {"strip_accents": config.get("strip_accents"), "strip_marks": False}
    return options | changed


def _special_tokens(content: dict[str, Any]) -> dict[str, str]:
    """Role → token, where the file names one."""
    tokens = {role: content.get(f"{role}_token") for role in SPECIAL_TOKENS}
    return {role: token["content"] if isinstance(token, dict) else token for role, token in tokens.items() if token}
