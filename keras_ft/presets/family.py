"""The kinds of backbone that there are."""

from dataclasses import dataclass
from typing import Any

from keras_ft.layers.arithmetic import GPT2_ARITHMETIC, Arithmetic

END_OF_TEXT = "<|endoftext|>"


@dataclass(frozen=True)
class Family:
    """A kind of backbone.

    Attributes:
        name: as `backbone: {family: …}` and `config.json` say it.
        backbone: the class in `keras_hub.models`.
        tokenizer: the class in `keras_hub.models` of its tokenizers.
        keys: the arguments of the backbone that `config.json` keeps.
        arithmetic: what keras-hub's backbone computes.
        has_pooler: whether it has a dense layer behind the first token.
    """

    name: str
    backbone: str
    tokenizer: str
    keys: tuple[str, ...]
    arithmetic: Arithmetic
    has_pooler: bool = False

    @property
    def backbone_class(self) -> Any:
        """The class of keras-hub."""
        import keras_hub

        return getattr(keras_hub.models, self.backbone)

    @property
    def vocabulary_key(self) -> str:
        """The argument of the backbone that says how many tokens there are."""
        return "vocabulary_size" if "vocabulary_size" in self.keys else "vocab_size"


SIZES = ("vocabulary_size", "num_layers", "num_heads", "hidden_dim", "intermediate_dim", "max_sequence_length")
ALBERT_SIZES = ("embedding_dim", "num_groups", "num_inner_repetitions", "num_segments")
ELECTRA_SIZES = ("vocab_size", *SIZES[1:], "embedding_dim", "num_segments")
EXACT_GELU = Arithmetic("gelu", 1e-12)
ROBERTA_ARITHMETIC = Arithmetic("gelu", 1e-5)

BERT = Family("bert", "BertBackbone", "BertTokenizer", (*SIZES, "num_segments"), Arithmetic(), has_pooler=True)
GPT2 = Family("gpt2", "GPT2Backbone", "GPT2Tokenizer", SIZES, GPT2_ARITHMETIC)
ROBERTA = Family("roberta", "RobertaBackbone", "RobertaTokenizer", SIZES, ROBERTA_ARITHMETIC)
XLM_ROBERTA = Family("xlm-roberta", "XLMRobertaBackbone", "XLMRobertaTokenizer", SIZES, ROBERTA_ARITHMETIC)
DISTILBERT = Family("distilbert", "DistilBertBackbone", "DistilBertTokenizer", SIZES, EXACT_GELU)
ALBERT = Family("albert", "AlbertBackbone", "AlbertTokenizer", (*SIZES, *ALBERT_SIZES), Arithmetic(), has_pooler=True)
ELECTRA = Family("electra", "ElectraBackbone", "ElectraTokenizer", ELECTRA_SIZES, Arithmetic(), has_pooler=True)
FAMILIES = {family.name: family for family in (BERT, GPT2, ROBERTA, XLM_ROBERTA, DISTILBERT, ALBERT, ELECTRA)}
ENCODERS = tuple(name for name in FAMILIES if name != GPT2.name)  # each token sees all others of its sequence


def family_of(backbone: Any) -> Family | None:
    """The family of a keras-hub backbone, None where it is of no family known here."""
    return next((family for family in FAMILIES.values() if type(backbone) is family.backbone_class), None)


def new_backbone(family: Family, arguments: dict[str, Any]) -> Any:
    """A randomly initialized backbone. Drop-out is the forward pass's, so the backbone's own is 0.

    Args:
        family: its kind.
        arguments: a value for each of the family's `keys`.
    """
    return family.backbone_class(**arguments, dropout=0.0, dtype="float32")
