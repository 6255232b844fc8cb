"""A backbone with its tokenizer, and the folder that a run keeps them in."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from keras_ft.errors import RequestError
from keras_ft.layers.arithmetic import Arithmetic
from keras_ft.presets.family import FAMILIES, Family, family_of, new_backbone
from keras_ft.presets.resize import resized
from keras_ft.text.byte_pair import BytePairTokenizer
from keras_ft.text.load import Tokenizer, load_tokenizer


@dataclass
class Pretrained:
    """What a preset name stands for.

    Attributes:
        name: as written in the recipe.
        backbone: of `keras_hub.models`, such as a `BertBackbone`; it owns the weights.
        config: what the checkpoint says about its arithmetic.
        tokenizer: strings to ids, as graph ops.
        pooling: how this checkpoint was meant to give one vector a text: `mean`, `first` or `pooler`; None for GPT-2.
    """

    name: str
    backbone: Any
    config: Arithmetic
    tokenizer: Tokenizer
    pooling: str | None

    @property
    def family(self) -> str:
        """A key of `FAMILIES`, such as `bert`."""
        return self._family.name

    @property
    def _family(self) -> Family:
        family = family_of(self.backbone)
        assert family is not None  # loaders refuse what is neither
        return family

    def save(self, folder: Path) -> None:
        """Write `config.json` and `tokenizer/`; the weights are the task model's to write."""
        self.tokenizer.save(folder / "tokenizer")
        description = {
            "family": self.family,
            "name": self.name,
            "backbone": {key: getattr(self.backbone, key) for key in self._family.keys},
            **asdict(self.config),
            "pooling": self.pooling,
        }
        (folder / "config.json").write_text(json.dumps(description, indent=2) + "\n", encoding="utf-8")

    def with_added_tokens(self, tokens: Sequence[str], seed: int = 0) -> "Pretrained":
        """The same with special tokens more: their embeddings are new, all other weights are copied.

        The new backbone is to be made within the strategy's scope, as the old one was.

        Args:
            tokens: those that the vocabulary knows are left out; where it knows them all, this is returned.
            seed: of the new embeddings.

        Raises:
            RequestError: a token is empty, or the tokenizer is no byte-pair tokenizer.
        """
        known = len(self.tokenizer.vocabulary)
        if all(token in self.tokenizer.vocabulary.token_to_id for token in tokens):
            return self
        if not isinstance(self.tokenizer, BytePairTokenizer):
            raise RequestError(f"backbone {self.name}: tokens can be added to a gpt2 only; add them to its vocabulary")
        tokenizer = self.tokenizer.with_added_tokens(tokens)
        backbone = resized(self.backbone, self._family, known, len(tokenizer.vocabulary), seed)
        return replace(self, backbone=backbone, tokenizer=tokenizer)


def rebuild(folder: Path) -> Pretrained:
    """The architecture and tokenizer of a run's `model/` folder, with fresh weights.

    Raises:
        RequestError: `config.json` is missing or not one of ours.
    """
    path = folder / "config.json"
    try:
        description = json.loads(path.read_text(encoding="utf-8"))
        config = Arithmetic(description["hidden_act"], description["layer_norm_epsilon"])
        backbone = new_backbone(FAMILIES[description["family"]], description["backbone"])
        name, pooling = description["name"], description["pooling"]
    except OSError:
        raise RequestError(f"{path} is missing; give a run folder written by 'keras-ft train'") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RequestError(f"{path} is not a model description of keras_ft ({error!r})") from None
    return Pretrained(name, backbone, config, load_tokenizer(folder / "tokenizer"), pooling)


def check_framing(name: str, tokenizer: Tokenizer) -> None:
    """Refuse a tokenizer of an encoder that has no tokens to frame a text with."""
    vocabulary = tokenizer.vocabulary
    if not (vocabulary.begin_ids and vocabulary.end_ids):
        raise RequestError(
            f"backbone {name}: its vocabulary has no token for the start or none for the end of a text, which encoders"
            " need; tokenizer_config.json should name cls_token and sep_token"
        )


def check_vocabulary(name: str, backbone: Any, tokenizer: Tokenizer) -> None:
    """Refuse a tokenizer whose ids the embedding table does not hold."""
    tokens, rows = len(tokenizer.vocabulary), backbone.token_embedding.input_dim
    if tokens > rows:
        raise RequestError(
            f"backbone {name}: the vocabulary has {tokens} tokens, the embedding table {rows} rows;"
            " they should come from the same checkpoint"
        )
