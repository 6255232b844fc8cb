"""`BertForQuestionAnswering` as `run_qa.py` of transformers drives it: windows, n-best, "no answer" at [CLS]."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from quality_data import MOST_ANSWER_TOKENS, N_BEST, WINDOW_STRIDE, Row
from transformers import AutoModelForQuestionAnswering, DataCollatorWithPadding

Example = dict[str, Any]
NEVER = 1e3  # "no answer" is so much better where no span can be one


class SpanHead:
    """Start and end of the answer in the context of a question; an example is a window.

    Attributes and methods are those of `quality_heads_torch.TextHead`.
    """

    targets = ("start_positions", "end_positions")
    chooses = True
    labels: tuple[str, ...] = ()

    def __init__(self, tokenizer: Any, rows: list[Row], max_length: int):
        self.tokenizer, self.max_length = tokenizer, max_length
        self._pad = DataCollatorWithPadding(tokenizer)

    def model(self, folder: str) -> torch.nn.Module:
        """The pre-trained encoder under a fresh head."""
        return AutoModelForQuestionAnswering.from_pretrained(folder)

    def collate(self, batch: list[Example]) -> dict[str, torch.Tensor]:
        """A padded batch of what the model reads and learns."""
        names = (*self.tokenizer.model_input_names, *self.targets)
        return self._pad([{name: example[name] for name in names if name in example} for example in batch])

    def encode(self, rows: list[Row], training: bool) -> list[Example]:
        """The windows of all rows; `row` is whose one is, `offsets` the characters of each context token, else None."""
        encoded = self.tokenizer(
            [row["question"].lstrip() for row in rows],
            [row["context"] for row in rows],
            truncation="only_second",
            max_length=self.max_length,
            stride=WINDOW_STRIDE,
            return_overflowing_tokens=True,
            return_offsets_mapping=True,
        )
        examples = []
        for i, row in enumerate(encoded["overflow_to_sample_mapping"]):
            example = {name: encoded[name][i] for name in self.tokenizer.model_input_names}
            placed = zip(encoded["offset_mapping"][i], encoded.sequence_ids(i), strict=True)
            offsets = [span if part == 1 else None for span, part in placed]
            example |= {"row": row, "offsets": offsets}
            if training:
                example["start_positions"], example["end_positions"] = _place(rows[row]["answers"], offsets)
            examples.append(example)
        return examples

    def outputs(self, found: Any, batch: list[Example]) -> Iterable[tuple[np.ndarray, np.ndarray]]:
        """Logits of starts and ends, `(tokens,)` each."""
        for example, start, end in zip(batch, found.start_logits, found.end_logits, strict=True):
            length = len(example["input_ids"])
            yield start[:length].numpy(), end[:length].numpy()

    def answers(self, rows: list[Row], examples: list[Example], outputs: list[Any]) -> list[tuple[str, float]]:
        """For each question the best answer, and the score of "no answer" minus its score."""
        null = [np.inf] * len(rows)
        spans: list[list[tuple[float, int, int]]] = [[] for _ in rows]
        for example, (start, end) in zip(examples, outputs, strict=True):
            row = example["row"]
            null[row] = min(null[row], float(start[0] + end[0]))
            spans[row] += _spans(start, end, example["offsets"])
        found = []
        for row, none, candidates in zip(rows, null, spans, strict=True):
            score, first, last = max(candidates, default=(none - NEVER, 0, 0))
            found.append((row["context"][first:last], none - score))
        return found


def _place(answers: list[dict], offsets: list[tuple[int, int] | None]) -> tuple[int, int]:
    """First and last token of the first answer; both 0, which is [CLS], where this window does not hold it whole."""
    if not answers:
        return 0, 0
    begin = answers[0]["answer_start"]
    end = begin + len(answers[0]["text"])
    first = [j for j, span in enumerate(offsets) if span and span[0] <= begin < span[1]]
    last = [j for j, span in enumerate(offsets) if span and span[0] < end <= span[1]]
    return (first[0], last[0]) if first and last else (0, 0)


def _spans(start: np.ndarray, end: np.ndarray, offsets: list[tuple[int, int] | None]) -> list[tuple[float, int, int]]:
    """Score, begin and end in characters of the spans between the best starts and the best ends of a window."""
    found = []
    for i in np.argsort(-start)[:N_BEST]:
        for j in np.argsort(-end)[:N_BEST]:
            if offsets[i] and offsets[j] and 0 <= j - i < MOST_ANSWER_TOKENS:
                found.append((float(start[i] + end[j]), offsets[i][0], offsets[j][1]))
    return found
