"""transformers' own heads as their users drive them, one class a task: rows → model inputs → what the model says."""

from collections.abc import Iterable
from typing import Any

import torch
from quality_data import MARKERS, Row, labels_of
from quality_spans_torch import SpanHead
from transformers import (
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    DataCollatorForTokenClassification,
    DataCollatorWithPadding,
)

Example = dict[str, Any]
NOT_LEARNED = -100  # a target that torch's cross-entropy passes over


class TextHead:
    """`BertForSequenceClassification` over one text: one of several labels.

    Args:
        tokenizer: of the model's folder.
        rows: of training; they have the labels.
        max_length: tokens at most.

    Attributes:
        labels: in the order of the logits.
        targets: model inputs that are learned, not read.
        chooses: whether something is chosen on validation.
    """

    targets = ("labels",)
    chooses = False
    text_columns: tuple[str, ...] = ("text",)
    auto = AutoModelForSequenceClassification
    options: dict[str, Any] = {}  # noqa: RUF012

    def __init__(self, tokenizer: Any, rows: list[Row], max_length: int):
        self.tokenizer, self.max_length = tokenizer, max_length
        self.labels = self.find_labels(rows)
        self._pad = DataCollatorWithPadding(tokenizer)

    def collate(self, batch: list[Example]) -> dict[str, torch.Tensor]:
        """A batch padded to its longest example."""
        return self._pad(batch)

    def find_labels(self, rows: list[Row]) -> list[str]:
        """Those of the training rows, sorted."""
        return labels_of(rows)

    def model(self, folder: str) -> torch.nn.Module:
        """The pre-trained encoder under a fresh head."""
        return self.auto.from_pretrained(folder, num_labels=max(1, len(self.labels)), **self.options)

    def encode(self, rows: list[Row], training: bool) -> list[Example]:
        """Model inputs of each row, with its target in training."""
        texts = ([row[column] for row in rows] for column in self.text_columns)
        encoded = self.tokenizer(*texts, truncation=True, max_length=self.max_length)
        examples = [{name: values[i] for name, values in encoded.items()} for i in range(len(rows))]
        if training:
            for example, row in zip(examples, rows, strict=True):
                example["labels"] = self.target(row)
        return examples

    def target(self, row: Row) -> Any:
        """What is learned from a row."""
        return self.labels.index(str(row["label"]))

    def outputs(self, found: Any, batch: list[Example]) -> Iterable[Any]:
        """Of a batch: what `answers` needs of each example."""
        return found.logits.argmax(dim=-1).tolist()

    def answers(self, rows: list[Row], examples: list[Example], outputs: list[Any]) -> list[Any]:
        """What is said of each row."""
        return [self.labels[place] for place in outputs]


class PairHead(TextHead):
    """The same over two texts."""

    text_columns = ("text_a", "text_b")


class RegressionHead(PairHead):
    """A number for two texts: mean squared error on the scale of the data, as `run_glue.py` has it."""

    options = {"problem_type": "regression"}  # noqa: RUF012

    def find_labels(self, rows: list[Row]) -> list[str]:
        """None."""
        return []

    def target(self, row: Row) -> float:
        """The number."""
        return float(row["label"])

    def outputs(self, found: Any, batch: list[Example]) -> Iterable[float]:
        """The numbers."""
        return found.logits[:, 0].tolist()

    def answers(self, rows: list[Row], examples: list[Example], outputs: list[float]) -> list[float]:
        """The numbers."""
        return outputs


class MultiLabelHead(TextHead):
    """Any number of labels: a sigmoid each. What is said of a row is their probabilities."""

    options = {"problem_type": "multi_label_classification"}  # noqa: RUF012
    chooses = True

    def find_labels(self, rows: list[Row]) -> list[str]:
        """Those of the training rows, sorted."""
        return sorted({label for row in rows for label in row["labels"]})

    def target(self, row: Row) -> list[float]:
        """1 for each label that the row has."""
        return [float(label in row["labels"]) for label in self.labels]

    def outputs(self, found: Any, batch: list[Example]) -> Iterable[list[float]]:
        """The probabilities of the labels."""
        return found.logits.sigmoid().tolist()

    def answers(self, rows: list[Row], examples: list[Example], outputs: list[Any]) -> list[list[float]]:
        """The probabilities of the labels."""
        return outputs


class RelationHead(TextHead):
    """[CLS] of a text whose entities stand between markers, which are special tokens with embeddings of their own."""

    def __init__(self, tokenizer: Any, rows: list[Row], max_length: int):
        tokenizer.add_special_tokens({"additional_special_tokens": list(MARKERS)})
        super().__init__(tokenizer, rows, max_length)

    def model(self, folder: str) -> torch.nn.Module:
        """With rows for the markers, drawn as transformers draws them: about the mean of the others."""
        model = super().model(folder)
        model.resize_token_embeddings(len(self.tokenizer))
        return model


class TaggingHead(TextHead):
    """`BertForTokenClassification`: a word has the tag of its first sub-word; others are not learned."""

    auto = AutoModelForTokenClassification

    def __init__(self, tokenizer: Any, rows: list[Row], max_length: int):
        super().__init__(tokenizer, rows, max_length)
        self._pad = DataCollatorForTokenClassification(tokenizer)

    def collate(self, batch: list[Example]) -> dict[str, torch.Tensor]:
        """The same, of what the model reads and learns."""
        return self._pad([{name: value for name, value in example.items() if name != "first"} for example in batch])

    def find_labels(self, rows: list[Row]) -> list[str]:
        """The tags of the training rows, sorted."""
        return sorted({tag for row in rows for tag in row["tags"]})

    def encode(self, rows: list[Row], training: bool) -> list[Example]:
        """Model inputs and targets; `first` says at which token each word begins."""
        words = [row["tokens"] for row in rows]
        encoded = self.tokenizer(words, is_split_into_words=True, truncation=True, max_length=self.max_length)
        examples = []
        for i, row in enumerate(rows):
            word_of = encoded.word_ids(i)
            first = {word: j for j, word in reversed(list(enumerate(word_of))) if word is not None}
            example = {name: values[i] for name, values in encoded.items()}
            example |= {"first": first, "labels": [NOT_LEARNED] * len(word_of)}
            for word, j in first.items():
                example["labels"][j] = self.labels.index(row["tags"][word]) if training else NOT_LEARNED
            examples.append(example)
        return examples

    def outputs(self, found: Any, batch: list[Example]) -> Iterable[dict[int, int]]:
        """For each word that the model sees the number of its tag."""
        for example, tags in zip(batch, found.logits.argmax(dim=-1).tolist(), strict=True):
            yield {word: tags[j] for word, j in example["first"].items()}

    def answers(self, rows: list[Row], examples: list[Example], outputs: list[Any]) -> list[list[str]]:
        """A tag for each word; words behind the cut are in no entity."""
        none = self.labels.index("O")
        return [
            [self.labels[tags.get(word, none)] for word in range(len(row["tokens"]))]
            for row, tags in zip(rows, outputs, strict=True)
        ]


HEADS = {
    "classification": TextHead,
    "multilabel": MultiLabelHead,
    "pair": PairHead,
    "regression": RegressionHead,
    "relation": RelationHead,
    "tagging": TaggingHead,
    "span_qa": SpanHead,
}
