"""`backbone:` as a dict: a model with random weights over a vocabulary file."""

from typing import Any

from pydantic import PositiveInt

from keras_ft.errors import RequestError
from keras_ft.paths import local_file
from keras_ft.presets.family import (
    ALBERT,
    BERT,
    DISTILBERT,
    ELECTRA,
    END_OF_TEXT,
    FAMILIES,
    GPT2,
    ROBERTA,
    XLM_ROBERTA,
    new_backbone,
)
from keras_ft.presets.pretrained import Pretrained
from keras_ft.recipe import Section, check_options, suggest
from keras_ft.text.byte_pair import BytePairTokenizer
from keras_ft.text.byte_pair_vocabulary import BytePairVocabulary
from keras_ft.text.load import Tokenizer
from keras_ft.text.sentence_piece import SentencePieceTokenizer
from keras_ft.text.sentence_piece_files import read_albert, read_xlm_roberta
from keras_ft.text.vocabulary import Vocabulary
from keras_ft.text.wordpiece import WordPieceTokenizer

ROBERTA_TOKENS = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")


class ModelOptions(Section):
    """What a model of any family has; keras-hub's argument names."""

    family: str
    vocabulary: str
    num_layers: PositiveInt = 4
    num_heads: PositiveInt = 4
    hidden_dim: PositiveInt = 256
    intermediate_dim: PositiveInt = 1024
    max_sequence_length: PositiveInt = 512


class BertOptions(ModelOptions):
    """A BERT with random weights."""

    family: str = BERT.name
    lowercase: bool = True


class DistilBertOptions(BertOptions):
    """A DistilBERT with random weights."""

    family: str = DISTILBERT.name


class ElectraOptions(BertOptions):
    """An ELECTRA with random weights."""

    family: str = ELECTRA.name
    embedding_dim: PositiveInt = 128


class RobertaOptions(ModelOptions):
    """A RoBERTa with random weights."""

    family: str = ROBERTA.name
    merges: str


class XLMRobertaOptions(ModelOptions):
    """An XLM-R with random weights."""

    family: str = XLM_ROBERTA.name


class AlbertOptions(ModelOptions):
    """An ALBERT with random weights, whose layers share theirs unless there are more groups."""

    family: str = ALBERT.name
    lowercase: bool = True
    embedding_dim: PositiveInt = 128
    num_groups: PositiveInt = 1
    num_inner_repetitions: PositiveInt = 1


class GPT2Options(ModelOptions):
    """A GPT-2 with random weights."""

    family: str = GPT2.name
    max_sequence_length: PositiveInt = 1024
    merges: str


OPTIONS: dict[str, type[ModelOptions]] = {
    BERT.name: BertOptions,
    GPT2.name: GPT2Options,
    ROBERTA.name: RobertaOptions,
    XLM_ROBERTA.name: XLMRobertaOptions,
    DISTILBERT.name: DistilBertOptions,
    ALBERT.name: AlbertOptions,
    ELECTRA.name: ElectraOptions,
}


def from_scratch(options: dict[str, Any]) -> Pretrained:
    """A model with random weights, over the vocabulary that its options name.

    Raises:
        RequestError: an option is unknown or wrong, or a file is missing.
    """
    settings = _checked(options)
    if settings.hidden_dim % settings.num_heads:
        raise RequestError(
            f"backbone: hidden_dim {settings.hidden_dim} should be a multiple of num_heads {settings.num_heads}"
        )
    if settings.num_layers % getattr(settings, "num_groups", 1):
        raise RequestError(
            f"backbone: num_layers {settings.num_layers} should be a multiple of num_groups {settings.num_groups}"
        )
    family, tokenizer = FAMILIES[settings.family], _tokenizer(settings)
    sizes = settings.model_dump(include=set(family.keys))
    sizes |= {family.vocabulary_key: len(tokenizer.vocabulary)}
    if "num_segments" in family.keys:
        sizes["num_segments"] = 2
    pooling = None if family is GPT2 else "mean"
    return Pretrained("from scratch", new_backbone(family, sizes), family.arithmetic, tokenizer, pooling)


def _checked(options: dict[str, Any]) -> Any:
    family = options.get("family", BERT.name)
    if not isinstance(family, str) or family not in OPTIONS:
        raise RequestError(f"backbone.family {family!r} is unknown; {suggest(str(family), list(OPTIONS))}")
    ours = OPTIONS[family].model_fields
    for other, theirs in OPTIONS.items():
        foreign = [key for key in options if key in theirs.model_fields and key not in ours]
        if foreign:
            raise RequestError(f"backbone.{foreign[0]} is an option of family {other}; the family here is {family}")
    return check_options("backbone", options, OPTIONS[family])


def _tokenizer(settings: Any) -> Tokenizer:
    path = local_file(settings.vocabulary)
    if isinstance(settings, BertOptions):
        return WordPieceTokenizer(Vocabulary.from_vocab_txt(path), settings.lowercase)
    if isinstance(settings, XLMRobertaOptions):
        return SentencePieceTokenizer(*read_xlm_roberta(path))
    if isinstance(settings, AlbertOptions):
        lower = settings.lowercase
        return SentencePieceTokenizer(*read_albert(path), lowercase=lower, strip_accents=lower, plain_quotes=True)
    vocabulary = BytePairVocabulary.from_files(path, local_file(settings.merges))
    if isinstance(settings, RobertaOptions):
        vocabulary = vocabulary.with_added_tokens(ROBERTA_TOKENS)
        roles = dict(zip(("start", "pad", "end", "unk", "mask"), ROBERTA_TOKENS, strict=True))
        return BytePairTokenizer(BytePairVocabulary(vocabulary.tokens, vocabulary.merges, roles))
    if vocabulary.end_id is None:  # what is written must end
        vocabulary = BytePairVocabulary([*vocabulary.tokens, END_OF_TEXT], vocabulary.merges)
    return BytePairTokenizer(vocabulary)
