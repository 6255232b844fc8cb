"""keras-hub presets, by name or as local folders."""

from pathlib import Path
from typing import Any

from keras_ft.errors import RequestError, WorkError
from keras_ft.layers.arithmetic import GPT2_ARITHMETIC, Arithmetic
from keras_ft.presets.family import FAMILIES, GPT2, family_of
from keras_ft.presets.pretrained import Pretrained, check_vocabulary
from keras_ft.presets.sidecar import read_sidecar
from keras_ft.text.byte_pair import BytePairTokenizer
from keras_ft.text.byte_pair_vocabulary import BytePairVocabulary, tokens_in_order
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
VOCABULARY = Path("assets") / "tokenizer" / "vocabulary.txt"


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
    load = _load_gpt2 if family is GPT2 else _load_bert
    pretrained = load(source, name, backbone, tokenizer)
    check_vocabulary(name, backbone, pretrained.tokenizer)
    return pretrained


def _load_bert(source: str | Path, name: str, backbone: Any, tokenizer: Any) -> Pretrained:
    written = _as_written(source, name, backbone) if isinstance(source, Path) else None
    if written is not None:
        return written
    ours = WordPieceTokenizer(Vocabulary(list(tokenizer.vocabulary)), lowercase=tokenizer.lowercase)
    return Pretrained(name, backbone, Arithmetic(), ours, pooling_of(name))


def _load_gpt2(source: str | Path, name: str, backbone: Any, tokenizer: Any) -> Pretrained:
    tokens = tokens_in_order(tokenizer.vocabulary, name)
    pairs = [merge.split(" ") for merge in tokenizer.merges if not merge.startswith("#version")]
    vocabulary = BytePairVocabulary(tokens, [(first, second) for first, second in pairs], source=name)
    return Pretrained(name, backbone, GPT2_ARITHMETIC, BytePairTokenizer(vocabulary), pooling=None)


def _as_written(folder: Path, name: str, backbone: Any) -> Pretrained | None:
    """With what `keras_ft.json` says, where `keras-ft convert` wrote the folder."""
    sidecar = read_sidecar(folder)
    if sidecar is None:
        return None
    arithmetic, pooling, options = sidecar
    tokenizer = WordPieceTokenizer.from_config(options, folder / VOCABULARY, folder)
    return Pretrained(name, backbone, arithmetic, tokenizer, pooling)


def pooling_of(name: str) -> str:
    """How a preset was trained to give one vector a text; BERT's own way unless its name is known."""
    variations = name.split("/")  # kaggle://keras/bge/keras/bge_small_en/2
    ways = (way for start, way in SENTENCE_POOLING.items() if any(part.startswith(start) for part in variations))
    return next(ways, "pooler")
