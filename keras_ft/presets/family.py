"""The kinds of backbone that there are."""

from dataclasses import dataclass
from typing import Any

END_OF_TEXT = "<|endoftext|>"


@dataclass(frozen=True)
class Family:
    """A kind of backbone.

    Attributes:
        name: as `backbone: {family: …}` and `config.json` say it.
        backbone: the class in `keras_hub.models`.
        tokenizer: the class in `keras_hub.models` of its tokenizers.
        keys: the arguments of the backbone that `config.json` keeps.
    """

    name: str
    backbone: str
    tokenizer: str
    keys: tuple[str, ...]

    @property
    def backbone_class(self) -> Any:
        """The class of keras-hub."""
        import keras_hub

        return getattr(keras_hub.models, self.backbone)


SIZES = ("vocabulary_size", "num_layers", "num_heads", "hidden_dim", "intermediate_dim", "max_sequence_length")
BERT = Family("bert", "BertBackbone", "BertTokenizer", (*SIZES, "num_segments"))
GPT2 = Family("gpt2", "GPT2Backbone", "GPT2Tokenizer", SIZES)
FAMILIES = {family.name: family for family in (BERT, GPT2)}


def family_of(backbone: Any) -> Family | None:
    """The family of a keras-hub backbone, None where it is of no family known here."""
    return next((family for family in FAMILIES.values() if isinstance(backbone, family.backbone_class)), None)


def new_backbone(family: Family, arguments: dict[str, Any]) -> Any:
    """A randomly initialized backbone. Drop-out is the forward pass's, so the backbone's own is 0.

    Args:
        family: its kind.
        arguments: a value for each of the family's `keys`.
    """
    return family.backbone_class(**arguments, dropout=0.0, dtype="float32")
