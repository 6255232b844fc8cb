"""Reading the folder of a Hugging Face GPT-2 or RoBERTa tokenizer."""

import sys
from pathlib import Path
from typing import Any

from keras_ft.errors import RequestError
from keras_ft.text.byte_pair_json import added_options, only_added, read_byte_pair_json
from keras_ft.text.byte_pair_vocabulary import BytePairVocabulary, read_merges, tokens_in_order
from keras_ft.text.vocabulary import read_json

Json = dict[str, Any]
_ROLES = {  # the names of roles in Hugging Face's files, the later the more telling
    "bos_token": "start",
    "cls_token": "start",
    "eos_token": "end",
    "sep_token": "end",
    "pad_token": "pad",
    "unk_token": "unk",
    "mask_token": "mask",
}
_PAIRS = (("vocab.json", "merges.txt"), ("encoder.json", "vocab.bpe"), ("vocabulary.json", "merges.txt"))


def read_byte_pair(folder: str | Path) -> tuple[BytePairVocabulary, Json]:
    """Reads `tokenizer.json`, or else `vocab.json` and `merges.txt` (or GPT-2's own names for them).

    Names of special tokens, flags of added ones and `add_prefix_space` are taken from the files beside them;
    `tokenizer_config.json` wins over `tokenizer.json`, as transformers does.

    Returns:
        The vocabulary, and keyword arguments of `BytePairTokenizer`.

    Raises:
        RequestError: a file is missing or damaged, or one asks for what cannot be done exactly.
    """
    folder = Path(folder)
    config = _optional(folder / "tokenizer_config.json")
    special_tokens = _special_tokens(_optional(folder / "special_tokens_map.json")) | _special_tokens(config)
    if (folder / "tokenizer.json").exists():
        vocabulary, options = read_byte_pair_json(folder / "tokenizer.json", special_tokens)
        return vocabulary, _as_transformers(folder, config, options)
    pair = next(((v, m) for v, m in _PAIRS if (folder / v).exists() and (folder / m).exists()), None)
    if pair is None:
        raise RequestError(f"{folder} holds neither tokenizer.json nor vocab.json and merges.txt: they should be there")
    return _read_pair(folder, folder / pair[0], folder / pair[1], config, special_tokens)


def _read_pair(
    folder: Path, vocabulary_file: Path, merges_file: Path, config: Json, special_tokens: dict[str, str]
) -> tuple[BytePairVocabulary, Json]:
    """As the Python classes of transformers read them: there RoBERTa's differ from GPT-2's in defaults only."""
    ids = read_json(vocabulary_file) | _optional(folder / "added_tokens.json")
    described = config.get("added_tokens_decoder") or {}
    added = [{**token, "id": int(i)} for i, token in described.items()]
    ids |= {token["content"]: token["id"] for token in added}
    tokens = tokens_in_order(ids, vocabulary_file)
    roles = {role: token for role, token in special_tokens.items() if token in ids}
    vocabulary = BytePairVocabulary(tokens, read_merges(merges_file), roles or None, source=vocabulary_file)
    mask = vocabulary.special_tokens.get("mask")
    is_roberta = str(config.get("tokenizer_class") or "").startswith("Roberta") or (mask == "<mask>" and not config)
    if is_roberta and mask is not None and mask not in [token["content"] for token in added]:
        added.append({"content": mask, "lstrip": True, "special": True})
    options = {
        "add_prefix_space": bool(config.get("add_prefix_space", False)),
        "trim_offsets": bool(config.get("trim_offsets", is_roberta)),
        **added_options(folder / "tokenizer_config.json", added),
    }
    return vocabulary, only_added(options, vocabulary)


def _as_transformers(folder: Path, config: Json, options: Json) -> Json:
    wanted = config.get("add_prefix_space")
    if wanted is None or bool(wanted) == options["add_prefix_space"]:
        return options
    print(
        f"{folder / 'tokenizer_config.json'} says add_prefix_space {str(bool(wanted)).lower()}, tokenizer.json"
        " otherwise; the former is followed, as transformers does",
        file=sys.stderr,
    )
    return options | {"add_prefix_space": bool(wanted)}


def _special_tokens(content: Json) -> dict[str, str]:
    """Role → token, where the file names one."""
    named = {role: content[name] for name, role in _ROLES.items() if content.get(name)}
    return {role: token["content"] if isinstance(token, dict) else token for role, token in named.items()}


def _optional(path: Path) -> Json:
    return read_json(path) if path.exists() else {}
