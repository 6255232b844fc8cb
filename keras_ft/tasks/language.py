"""What the tasks that learn to write have in common: the loss of each next token.

The segments of a sequence say what is learned: a token of segment 1 is predicted by the token before it, one of
segment 0 is only read.
"""

from abc import abstractmethod
from collections.abc import Iterable
from typing import Any, Self

import numpy as np
from keras import ops

from keras_ft.batch import TokenBatch
from keras_ft.data.rows import Rows
from keras_ft.errors import RequestError
from keras_ft.generation.options import GenerationOptions
from keras_ft.layers.decoder import decode
from keras_ft.layers.next_token import Predictions, smoothing_term
from keras_ft.layers.random import Key
from keras_ft.layers.task_model import ModelView
from keras_ft.layers.token_cross_entropy import token_cross_entropy
from keras_ft.tasks.base import Metrics, Task
from keras_ft.tasks.language_metrics import LanguageMetrics
from keras_ft.text.assemble import Sequences
from keras_ft.text.load import Tokenizer

Tensor = Any


class LanguageTask(Task):
    """A task whose model writes: it has prompts instead of answers.

    Args:
        max_length: the most tokens of a sequence.
        label_smoothing: ε of the training loss.
        generation: how the model writes where a request says nothing else; as `GenerationOptions` has it.
    """

    families = ("gpt2",)
    target_columns = ()
    axes = {}  # noqa: RUF012
    tokens_at_once = 2048  # each has a logit for every token of the vocabulary
    main_metric = "loss"
    num_outputs = None

    def __init__(self, max_length: int, label_smoothing: float = 0.0, generation: dict[str, Any] | None = None):
        self.max_length = max_length
        self.label_smoothing = label_smoothing
        self.generation = GenerationOptions.model_validate(generation or {})

    @classmethod
    def from_data(cls, chunks: Iterable[Rows], options: Any, default_pooling: str | None, max_length: int) -> Self:
        """A task of these options; the rows are only looked through for wrong ones."""
        for rows in chunks:
            cls.check(rows)
        settings = options.model_dump(mode="json")
        settings.pop("added_tokens")
        return cls(max_length=max_length, **settings)

    @classmethod
    def framing(cls, options: Any, max_length: int) -> Self:
        """A task of these options."""
        return cls.from_data([], options, None, max_length)

    @classmethod
    def added_tokens(cls, options: Any) -> list[str]:
        """Those that the recipe names."""
        return options.added_tokens

    @classmethod
    def check(cls, rows: Rows) -> None:
        """Look for rows that cannot be learned from.

        Raises:
            RequestError: there is one.
        """

    @classmethod
    def strata(cls, rows: Rows) -> list[str]:
        """All alike."""
        cls.check(rows)
        return [""] * len(rows)

    def targets(self, rows: Rows) -> dict[str, np.ndarray]:
        """Nothing: the texts are the targets."""
        self.check(rows)
        return {}

    def to_json(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            "max_length": self.max_length,
            "label_smoothing": self.label_smoothing,
            "generation": self.generation.model_dump(mode="json"),
        }

    @property
    def prompt_room(self) -> int:
        """The most tokens of a prompt: what `generation.max_new_tokens` leaves of `max_length`, but at least half."""
        return max(self.max_length - self.generation.max_new_tokens, self.max_length - self.max_length // 2)

    @abstractmethod
    def prompts(self, tokenizer: Tokenizer, columns: dict[str, Tensor]) -> Sequences:
        """What the model reads before it writes: strings `(examples,)` by text column → sequences.

        Framed as `features` frames what is before the target, none empty, and none longer than `prompt_room`.
        """

    def references(self, columns: dict[str, list]) -> list[str] | None:
        """What is wanted as answer to the `requests` of rows of feature columns; None where nothing is."""
        return None

    def forward(self, view: ModelView, batch: TokenBatch, rate: float = 0.0, key: Key | None = None) -> dict:
        """`losses`: `(predictions,)` float32 nats, as `Predictions` of the batch has them.

        With label smoothing, in training, also `smoothing`, what ε of it adds.
        """
        predictions = Predictions.of(batch)
        hidden = predictions.states(decode(view.backbone, batch, rate, key))  # (predictions, hidden)
        embedding = view.backbone.token_embedding
        outputs = {"losses": token_cross_entropy(hidden, embedding, predictions.labels, key is not None)}
        if self.label_smoothing and key is not None:
            outputs["smoothing"] = smoothing_term(hidden, embedding, predictions.labels)
        return outputs

    def loss(self, outputs: dict[str, Tensor], batch: TokenBatch) -> tuple[Tensor, Tensor]:
        """Cross-entropy of each predicted token in nats, smoothed as asked for, each of weight 1."""
        losses = outputs["losses"]
        if "smoothing" in outputs:
            losses = losses + self.label_smoothing * outputs["smoothing"]
        return losses, Predictions.of(batch).weights

    def evaluation_loss(self, outputs: dict[str, Tensor], batch: TokenBatch) -> tuple[Tensor, Tensor]:
        """The mean plain cross-entropy of each sequence in nats; it weighs as many as it has predicted tokens."""
        predictions = Predictions.of(batch)
        counts = predictions.sums(predictions.weights, batch.num_sequences)  # (sequences,)
        sums = predictions.sums(outputs["losses"] * predictions.weights, batch.num_sequences)
        return sums / ops.maximum(counts, 1.0), counts

    def kept(self, outputs: dict[str, Tensor], batch: TokenBatch) -> dict[str, Tensor]:
        """`loss` and `predicted`: of each sequence the mean loss and how many tokens it has to predict."""
        loss, predicted = self.evaluation_loss(outputs, batch)
        return {"loss": loss, "predicted": predicted}

    def divisor(self, batch: TokenBatch) -> Tensor:
        """The number of tokens to predict."""
        return ops.sum(Predictions.of(batch).weights)

    def metrics(self) -> Metrics:
        """Perplexity."""
        return LanguageMetrics()

    def record(
        self,
        outputs: dict[str, np.ndarray],
        answers: dict[str, np.ndarray],
        targets: dict[str, np.ndarray],
        losses: np.ndarray,
    ) -> dict[str, np.ndarray]:
        """`loss`, the mean over the predicted tokens, and how many were `predicted`."""
        return {"loss": losses.astype(np.float32), "predicted": outputs["predicted"].astype(np.int32)}


def end_id(tokenizer: Tokenizer) -> int:
    """The id of the end-of-text token.

    Raises:
        RequestError: the vocabulary has none.
    """
    found = getattr(tokenizer.vocabulary, "end_id", None)
    if found is None:
        raise RequestError("the vocabulary has no end-of-text token; add <|endoftext|> to it")
    return found
