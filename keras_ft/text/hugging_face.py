"""Reading the options of a Hugging Face BERT tokenizer."""

from pathlib import Path
from typing import Any

from keras_ft.errors import RequestError
from keras_ft.text.vocabulary import SPECIAL_TOKENS, Vocabulary, read_json


def read_wordpiece(folder: str | Path) -> tuple[Vocabulary, dict[str, Any]]:
    """Reads `tokenizer.json` or else `vocab.txt`, and `tokenizer_config.json` where present.

    Where both say something, `tokenizer.json` wins: it is what Hugging Face's tokenizers run.

    Returns:
        The vocabulary, and keyword arguments of `WordPieceTokenizer`.

    Raises:
        RequestError: neither file is there, or one asks for what BERT's WordPiece does not do.
    """
    folder = Path(folder)
    path = folder / "tokenizer_config.json"
    config = read_json(path) if path.exists() else {}
    if config.get("do_basic_tokenize") is False:
        raise RequestError(f"{path}: do_basic_tokenize is false: only text that BERT splits into words can be read")
    options = {
        "lowercase": config.get("do_lower_case", True),
        "strip_accents": config.get("strip_accents"),
        "split_chinese": config.get("tokenize_chinese_chars", True),
    }
    special_tokens = {}
    for role in SPECIAL_TOKENS:
        token = config.get(f"{role}_token")
        if token is not None:
            special_tokens[role] = token["content"] if isinstance(token, dict) else token

    if (folder / "tokenizer.json").exists():
        return (
            Vocabulary.from_tokenizer_json(folder / "tokenizer.json", special_tokens),
            options | _options_of_tokenizer_json(folder / "tokenizer.json"),
        )
    if not (folder / "vocab.txt").exists():
        raise RequestError(f"{folder} holds neither tokenizer.json nor vocab.txt: one of them should be there")
    return Vocabulary.from_vocab_txt(folder / "vocab.txt", special_tokens), options


def _options_of_tokenizer_json(path: Path) -> dict[str, Any]:
    content = read_json(path)
    normalizer = content.get("normalizer") or {}
    pre_tokenizer = content.get("pre_tokenizer") or {}
    model = content["model"]
    for what, is_value, should in [
        ("normalizer", normalizer.get("type"), "BertNormalizer"),
        ("normalizer.clean_text", normalizer.get("clean_text", True), True),
        ("pre_tokenizer", pre_tokenizer.get("type"), "BertPreTokenizer"),
        ("model.continuing_subword_prefix", model.get("continuing_subword_prefix", "##"), "##"),
    ]:
        if is_value != should:
            raise RequestError(f"{path}: {what} is {is_value!r}: only {should!r} can be read")
    plain = [token["content"] for token in content.get("added_tokens") or [] if not token.get("special")]
    if plain:
        raise RequestError(f"{path}: added token {plain[0]!r} is not special: only tokens of the model can be read")
    return {
        "lowercase": normalizer.get("lowercase", True),
        "strip_accents": normalizer.get("strip_accents"),
        "split_chinese": normalizer.get("handle_chinese_chars", True),
        "max_characters_per_word": model.get("max_input_chars_per_word", 100),
    }
