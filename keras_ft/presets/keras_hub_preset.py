"""keras-hub presets, by name or as local folders."""

from pathlib import Path
from typing import Any

from keras_ft.errors import RequestError, WorkError
from keras_ft.presets.family import ALBERT, BERT, FAMILIES, GPT2, XLM_ROBERTA, Family, family_of
from keras_ft.presets.pretrained import Pretrained, check_vocabulary
from keras_ft.presets.sidecar import read_sidecar
from keras_ft.text.byte_pair import BytePairTokenizer
from keras_ft.text.byte_pair_vocabulary import BytePairVocabulary, parse_merges, tokens_in_order
from keras_ft.text.load import Tokenizer
from keras_ft.text.sentence_piece import SentencePieceTokenizer
from keras_ft.text.sentence_piece_model import SentencePieceModel
from keras_ft.text.sentence_piece_vocabulary import ALBERT_ROLES, SentencePieceVocabulary, in_fairseqs_order
from keras_ft.text.sentence_piece_vocabulary import ROBERTA_ROLES as XLM_ROBERTA_ROLES
from keras_ft.text.vocabulary import Vocabulary
from keras_ft.text.wordpiece import WordPieceTokenizer

# How keras-hub's sentence-embedding presets, known by the start of their names, pool; the first that fits counts.
SENTENCE_POOLING = {
    "all_minilm": "mean",
    "paraphrase_minilm": "mean",
    "multi_qa_minilm": "mean",
    "msmarco_minilm": "mean",
    "bge": "first",
    "mxbai_embed_xsmall": "mean",
    "mxbai": "first",
}
ROBERTA_ROLES = {"start": "<s>", "end": "</s>", "pad": "<pad>", "mask": "<mask>"}


def is_keras_hub(folder: Path) -> bool:
    """Whether a folder's `config.json` is one of keras-hub's."""
    return '"registered_name"' in (folder / "config.json").read_text(encoding="utf-8", errors="replace")


def load_keras_hub(source: str | Path, name: str) -> Pretrained:
    """Load a preset with keras-hub's own loader.

    Args:
        source: a local folder, or a name that keras-hub knows.
        name: how the recipe called it, for messages.

    Raises:
        RequestError: the folder cannot be loaded, or the model is of no known family.
        WorkError: the preset could not be fetched.
    """
    import keras_hub

    try:
        backbone = keras_hub.models.Backbone.from_preset(str(source), dropout=0.0, dtype="float32")
        tokenizer = keras_hub.models.Tokenizer.from_preset(str(source))
    except Exception as error:  # keras-hub raises many kinds: network, JSON, HDF5
        reason = " ".join(str(error).split())[:300]
        if isinstance(source, Path):
            raise RequestError(f"backbone {name}: the folder cannot be loaded by keras-hub ({reason})") from error
        raise WorkError(
            f"backbone {name} could not be fetched ({reason}); check the network or give a folder"
        ) from error
    family = family_of(backbone)
    if family is None or not isinstance(tokenizer, getattr(keras_hub.models, family.tokenizer)):
        known = ", ".join(known.backbone for known in FAMILIES.values())
        raise RequestError(f"backbone {name} is a {type(backbone).__name__}; supported are {known}")
    written = _as_written(source, name, backbone) if isinstance(source, Path) else None
    if written is None:
        pooling = None if family is GPT2 else pooling_of(name, family)
        written = Pretrained(name, backbone, family.arithmetic, _tokenizer(tokenizer, family, name), pooling)
    check_vocabulary(name, backbone, written.tokenizer)
    return written


def _tokenizer(tokenizer: Any, family: Family, name: str) -> Tokenizer:
    """Ours of keras-hub's."""
    if hasattr(tokenizer, "lowercase"):
        return WordPieceTokenizer(Vocabulary(list(tokenizer.vocabulary)), lowercase=tokenizer.lowercase)
    if hasattr(tokenizer, "proto"):
        model = SentencePieceModel.from_bytes(tokenizer.proto)
        is_albert = family is ALBERT
        ours = model if is_albert else in_fairseqs_order(model, name)
        roles, frames_as = (ALBERT_ROLES, "bert") if is_albert else (XLM_ROBERTA_ROLES, "roberta")
        return SentencePieceTokenizer(ours, SentencePieceVocabulary(ours, roles, frames_as, name))
    tokens = tokens_in_order(tokenizer.vocabulary, name)
    merges = parse_merges(tokenizer.merges, name)
    special_tokens = None if family is GPT2 else ROBERTA_ROLES
    return BytePairTokenizer(BytePairVocabulary(tokens, merges, special_tokens, name), tokenizer.add_prefix_space)


def _as_written(folder: Path, name: str, backbone: Any) -> Pretrained | None:
    """With what `keras_ft.json` says, where `keras-ft convert` wrote the folder."""
    sidecar = read_sidecar(folder)
    if sidecar is None:
        return None
    arithmetic, pooling, options = sidecar
    assets = folder / "assets" / "tokenizer"
    if options.get("type") == "byte_pair":
        tokenizer: Tokenizer = BytePairTokenizer.from_config(
            options, assets / "vocabulary.json", assets / "merges.txt", folder
        )
    elif options.get("type") == "sentence_piece":
        model = SentencePieceModel.read(assets / "vocabulary.spm")
        if family_of(backbone) is XLM_ROBERTA:
            model = in_fairseqs_order(model, assets / "vocabulary.spm")
        tokenizer = SentencePieceTokenizer.from_config(options, model, folder)
    else:
        tokenizer = WordPieceTokenizer.from_config(options, assets / "vocabulary.txt", folder)
    return Pretrained(name, backbone, arithmetic, tokenizer, pooling)


def pooling_of(name: str, family: Family = BERT) -> str:
    """How a preset was trained to give one vector a text; its family's own way unless its name is known."""
    variations = name.split("/")  # kaggle://keras/bge/keras/bge_small_en/2
    ways = (way for start, way in SENTENCE_POOLING.items() if any(part.startswith(start) for part in variations))
    return next(ways, "pooler" if family.has_pooler else "first")
