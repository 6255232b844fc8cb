"""Reading the folder of a Hugging Face BERT tokenizer."""

import json
from pathlib import Path
from typing import Any

from keras_ft.errors import RequestError
from keras_ft.text.tokenizer_json import read_tokenizer_json
from keras_ft.text.vocabulary import SPECIAL_TOKENS, Vocabulary, read_json


def read_wordpiece(folder: str | Path) -> tuple[Vocabulary, dict[str, Any]]:
    """Reads `tokenizer.json` or else `vocab.txt`, and the files beside it where present.

    `tokenizer.json` is what Hugging Face's tokenizers run, but a BertTokenizer of transformers builds its own from what
    `tokenizer_config.json` says: where the two contradict each other, the folder is refused. Names of special tokens
    are taken from `tokenizer.json`, then `tokenizer_config.json`, then `special_tokens_map.json`.

    Returns:
        The vocabulary, and keyword arguments of `WordPieceTokenizer`.

    Raises:
        RequestError: neither file is there, one asks for what cannot be done exactly, or two contradict each other.
    """
    folder = Path(folder)
    path = folder / "tokenizer_config.json"
    config = read_json(path) if path.exists() else {}
    names = folder / "special_tokens_map.json"
    special_tokens = _special_tokens(read_json(names) if names.exists() else {}) | _special_tokens(config)
    if (folder / "tokenizer.json").exists():
        vocabulary, options = read_tokenizer_json(folder / "tokenizer.json", special_tokens)
        _check_agreement(path, config, options)
        return vocabulary, options
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


def _check_agreement(path: Path, config: dict[str, Any], options: dict[str, Any]) -> None:
    """Refuse a `tokenizer_config.json` with which transformers' BertTokenizer would not do as `tokenizer.json` says."""
    if not str(config.get("tokenizer_class") or "Bert").startswith("Bert"):
        return  # the generic classes run tokenizer.json as it is
    done = {
        "do_lower_case": options["lowercase"],
        "strip_accents": options["strip_accents"] or options["strip_marks"],
        "tokenize_chinese_chars": options["split_chinese"],
    }
    for key, value in done.items():
        said = config.get(key)
        if said is not None and bool(said) != value:
            raise RequestError(
                f"{path} says {key} {json.dumps(said)}, but tokenizer.json beside it does {json.dumps(value)}:"
                " transformers would follow the one, tokenizers the other; make them agree (in a copy of the folder)"
            )


def _special_tokens(content: dict[str, Any]) -> dict[str, str]:
    """Role → token, where the file names one."""
    tokens = {role: content.get(f"{role}_token") for role in SPECIAL_TOKENS}
    return {role: token["content"] if isinstance(token, dict) else token for role, token in tokens.items() if token}
