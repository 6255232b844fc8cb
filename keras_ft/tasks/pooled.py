"""Tasks whose outputs are a dense head's over one pooled vector a request: of one text, or of two together."""

from typing import Any, Literal

from keras_ft.batch import TokenBatch
from keras_ft.data.labels import LabelSet
from keras_ft.layers.encoder import encode, pool
from keras_ft.layers.random import Key, dropout
from keras_ft.layers.task_model import ModelView
from keras_ft.presets.family import ENCODERS
from keras_ft.recipe import Section
from keras_ft.tasks.answering import AnsweringTask
from keras_ft.text.assemble import Sequences, pair, single
from keras_ft.text.load import Tokenizer

Tensor = Any
HEAD_SITE = 1_000_003  # a drop-out site number apart from the encoder's
ALL_LABELS_UP_TO = 20
TOP_K_OF_MANY = 5


class PooledOptions(Section):
    """Options that all tasks of a pooled vector share."""

    pooling: Literal["mean", "first", "pooler"] | None = None
    """The vector of a text: the mean over its tokens, its first token, or that through BERT's pooler."""


class PooledTask(AnsweringTask):
    """Frames the text columns of a request, one or two, pools the encoder's output, and puts a dense head on it.

    Args:
        pooling: `mean`, `first` or `pooler`.
        max_length: the most tokens a sequence may have, special tokens included.
    """

    families = ENCODERS

    def __init__(self, pooling: str, max_length: int):
        self.pooling = pooling
        self.max_length = max_length

    @property
    def uses_pooler(self) -> bool:
        """Whether the backbone's pooler takes part."""
        return self.pooling == "pooler"

    def features(self, tokenizer: Tokenizer, columns: dict[str, Tensor]) -> Sequences:
        """[CLS] text [SEP], or [CLS] a [SEP] b [SEP] with b in segment 1, or as the backbone frames them; cut."""
        text, *others = (tokenizer.tokenize(columns[name]) for name in self.text_columns)
        if not others:
            return single(text, tokenizer.vocabulary, self.max_length)
        return pair(text, others[0], tokenizer.vocabulary, self.max_length)

    def forward(self, view: ModelView, batch: TokenBatch, rate: float = 0.0, key: Key | None = None) -> dict:
        """`logits`: `(examples, outputs)` float32."""
        hidden = encode(view.backbone, batch, rate, key)  # (tokens, hidden)
        pooled = self.pooled(view, batch, hidden)
        pooled = dropout(pooled, rate, None if key is None else key.fold(HEAD_SITE))
        return {"logits": view.head(pooled)}

    def pooled(self, view: ModelView, batch: TokenBatch, hidden: Tensor) -> Tensor:
        """What the head is given: `(tokens, hidden)` → `(examples, head_inputs)`."""
        return pool(view.backbone, batch, hidden, self.pooling)


class LabelledTask(PooledTask):
    """A pooled task whose head has one logit a label.

    Args:
        labels: names, in the order of the head's outputs.
        pooling, max_length: see `PooledTask`.
    """

    def __init__(self, labels: list[str], pooling: str, max_length: int):
        super().__init__(pooling, max_length)
        self.labels = LabelSet(labels)

    @property
    def num_outputs(self) -> int:
        """One logit a label."""
        return len(self.labels.names)

    def asset_files(self) -> dict[str, list[str]]:
        """`labels.txt`, in the order of the head's outputs."""
        return {"labels.txt": self.labels.names}


def pooling_of(options: PooledOptions, default: str | None) -> str:
    """What the recipe wants, or else what the backbone was meant for."""
    pooling = options.pooling or default
    assert pooling is not None  # every encoder has one
    return pooling


def labels_listed(num_labels: int, top_k: int | None) -> int:
    """How many labels an answer lists: `top_k`, or all of them up to 20, else 5; never more than there are."""
    return min(top_k or (num_labels if num_labels <= ALL_LABELS_UP_TO else TOP_K_OF_MANY), num_labels)
