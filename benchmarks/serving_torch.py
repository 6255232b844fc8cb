"""transformers on its turn to answer texts; `serving.py` runs it in an environment with torch.

    TORCH_PYTHON benchmarks/serving_torch.py PRECISION FOLDER TEXTS.jsonl

PRECISION float32 or bfloat16, which all weights are cast to (faster than autocast, which casts them at every call).
"""

import os
import sys
from pathlib import Path

import torch
from texts import read_file
from transformers import AutoModelForSequenceClassification, AutoTokenizer
from turns import Labelled, answer_texts

MAX_LENGTH = 128


class Classifier:
    """Texts → labels and scores: tokens padded to the longest of the batch, logits, softmax."""

    def __init__(self, precision: str, folder: str):
        torch.set_num_threads(os.cpu_count())
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        dtype = getattr(torch, precision)
        self.model = AutoModelForSequenceClassification.from_pretrained(folder, dtype=dtype).eval()
        self.labels = [self.model.config.id2label[i] for i in range(self.model.config.num_labels)]

    @torch.inference_mode()
    def __call__(self, texts: list[str]) -> Labelled:
        """Answer a batch."""
        inputs = self.tokenizer(texts, padding=True, truncation=True, max_length=MAX_LENGTH, return_tensors="pt")
        scores, indices = self.model(**inputs).logits.float().softmax(dim=-1).max(dim=-1)
        return [self.labels[i] for i in indices.tolist()], scores.tolist()


if __name__ == "__main__":
    precision, folder, path = sys.argv[1:]
    answer_texts([row["text"] for row in read_file(Path(path))], Classifier(precision, folder))
