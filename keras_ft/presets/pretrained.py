"""A backbone with its tokenizer, and the folder that a run keeps them in."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from keras_ft.errors import RequestError
from keras_ft.layers.arithmetic import Arithmetic
from keras_ft.text.wordpiece import WordPieceTokenizer

BACKBONE_KEYS = (
    "vocabulary_size",
    "num_layers",
    "num_heads",
    "hidden_dim",
    "intermediate_dim",
    "max_sequence_length",
    "num_segments",
)


@dataclass
class Pretrained:
    """What a preset name stands for.

    Attributes:
        name: as written in the recipe.
        backbone: a `keras_hub.models.BertBackbone`, which owns the weights.
        config: what the checkpoint says about its arithmetic.
        tokenizer: strings to ids, as graph ops.
        pooling: how this checkpoint was meant to give one vector a text: `mean`, `first` or `pooler`.
    """

    name: str
    backbone: Any
    config: Arithmetic
    tokenizer: WordPieceTokenizer
    pooling: str

    def save(self, folder: Path) -> None:
        """Write `config.json` and `tokenizer/`; the weights are the task model's to write."""
        self.tokenizer.save(folder / "tokenizer")
        description = {
            "family": "bert",
            "name": self.name,
            "backbone": {key: getattr(self.backbone, key) for key in BACKBONE_KEYS},
            **asdict(self.config),
            "pooling": self.pooling,
        }
        (folder / "config.json").write_text(json.dumps(description, indent=2) + "\n", encoding="utf-8")


def new_backbone(arguments: dict[str, Any]) -> Any:
    """A randomly initialized BERT. Drop-out is the forward pass's, so the backbone's own is 0."""
    import keras_hub

    return keras_hub.models.BertBackbone(**arguments, dropout=0.0, dtype="float32")


def rebuild(folder: Path) -> Pretrained:
    """The architecture and tokenizer of a run's `model/` folder, with fresh weights.

    Raises:
        RequestError: `config.json` is missing or not one of ours.
    """
    path = folder / "config.json"
    try:
        description = json.loads(path.read_text(encoding="utf-8"))
        config = Arithmetic(description["hidden_act"], description["layer_norm_epsilon"])
        backbone = new_backbone(description["backbone"])
        name, pooling = description["name"], description["pooling"]
    except OSError:
        raise RequestError(f"{path} is missing; give a run folder written by 'keras-ft train'") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RequestError(f"{path} is not a model description of keras_ft ({error!r})") from None
    return Pretrained(name, backbone, config, WordPieceTokenizer.load(folder / "tokenizer"), pooling)


def check_vocabulary(name: str, backbone: Any, tokenizer: WordPieceTokenizer) -> None:
    """Refuse a tokenizer whose ids the embedding table does not hold."""
    tokens = len(tokenizer.vocabulary.tokens)
    if tokens > backbone.vocabulary_size:
        raise RequestError(
            f"backbone {name}: the vocabulary has {tokens} tokens, the embedding table {backbone.vocabulary_size} rows;"
            " they should come from the same checkpoint"
        )
