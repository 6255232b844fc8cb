"""`backbone:` as a dict: a model with random weights over a vocabulary file."""

from typing import Any

from pydantic import PositiveInt

from keras_ft.errors import RequestError
from keras_ft.layers.arithmetic import GPT2_ARITHMETIC, Arithmetic
from keras_ft.paths import local_file
from keras_ft.presets.family import BERT, END_OF_TEXT, FAMILIES, GPT2, new_backbone
from keras_ft.presets.pretrained import Pretrained
from keras_ft.recipe import Section, check_options, suggest
from keras_ft.text.byte_pair import BytePairTokenizer
from keras_ft.text.byte_pair_vocabulary import BytePairVocabulary
from keras_ft.text.vocabulary import Vocabulary
from keras_ft.text.wordpiece import WordPieceTokenizer


class BertOptions(Section):
    """A BERT with random weights; keras-hub's argument names."""

    family: str = BERT.name
    vocabulary: str
    num_layers: PositiveInt = 4
    num_heads: PositiveInt = 4
    hidden_dim: PositiveInt = 256
    intermediate_dim: PositiveInt = 1024
    max_sequence_length: PositiveInt = 512
    lowercase: bool = True


class GPT2Options(Section):
    """A GPT-2 with random weights; keras-hub's argument names."""

    family: str = GPT2.name
    vocabulary: str
    merges: str
    num_layers: PositiveInt = 4
    num_heads: PositiveInt = 4
    hidden_dim: PositiveInt = 256
    intermediate_dim: PositiveInt = 1024
    max_sequence_length: PositiveInt = 1024


OPTIONS: dict[str, type[Section]] = {BERT.name: BertOptions, GPT2.name: GPT2Options}


def from_scratch(options: dict[str, Any]) -> Pretrained:
    """A model with random weights: a BERT over a `vocab.txt`, or a GPT-2 over a `vocab.json` and a `merges.txt`.

    Raises:
        RequestError: an option is unknown or wrong, or a file is missing.
    """
    settings = _checked(options)
    if settings.hidden_dim % settings.num_heads:
        raise RequestError(
            f"backbone: hidden_dim {settings.hidden_dim} should be a multiple of num_heads {settings.num_heads}"
        )
    sizes = settings.model_dump(include=set(GPT2.keys))
    if isinstance(settings, BertOptions):
        vocabulary = Vocabulary.from_vocab_txt(local_file(settings.vocabulary))
        backbone = new_backbone(BERT, {**sizes, "vocabulary_size": len(vocabulary), "num_segments": 2})
        return Pretrained(
            "from scratch", backbone, Arithmetic(), WordPieceTokenizer(vocabulary, settings.lowercase), pooling="mean"
        )
    tokenizer = BytePairTokenizer(_byte_pairs(settings))
    backbone = new_backbone(GPT2, {**sizes, "vocabulary_size": len(tokenizer.vocabulary)})
    return Pretrained("from scratch", backbone, GPT2_ARITHMETIC, tokenizer, pooling=None)


def _checked(options: dict[str, Any]) -> Any:
    family = options.get("family", BERT.name)
    if not isinstance(family, str) or family not in FAMILIES:
        raise RequestError(f"backbone.family {family!r} is unknown; {suggest(str(family), list(FAMILIES))}")
    for other, theirs in OPTIONS.items():
        foreign = [key for key in options if key in theirs.model_fields and key not in OPTIONS[family].model_fields]
        if foreign:
            raise RequestError(f"backbone.{foreign[0]} is an option of family {other}; the family here is {family}")
    return check_options("backbone", options, OPTIONS[family])


def _byte_pairs(settings: GPT2Options) -> BytePairVocabulary:
    """The vocabulary of the files, with a token for the end of a text."""
    vocabulary = BytePairVocabulary.from_files(local_file(settings.vocabulary), local_file(settings.merges))
    if vocabulary.end_id is not None:
        return vocabulary
    return BytePairVocabulary([*vocabulary.tokens, END_OF_TEXT], vocabulary.merges)
