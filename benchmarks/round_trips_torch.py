"""What transformers makes of converted folders; `round_trips.py` runs it in an environment with torch.

TORCH_PYTHON benchmarks/round_trips_torch.py FOLDER < texts.json > answers.json
"""

import json
import sys
from typing import Any

import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

BATCH = 8


def answers_of(folder: str, texts: list[str]) -> dict[str, Any]:
    """Ids and logits, in padded batches, the tokenizer cutting at the length that the folder names."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder, trust_remote_code=True).eval()
    ids, logits = [], []
    for start in range(0, len(texts), BATCH):
        inputs = tokenizer(texts[start : start + BATCH], padding=True, truncation=True, return_tensors="pt")
        with torch.no_grad():
            logits += model(**inputs).logits.tolist()
        masked = (inputs["input_ids"], inputs["attention_mask"])
        ids += [row[mask.bool()].tolist() for row, mask in zip(*masked, strict=True)]
    labels = [model.config.id2label[number] for number in range(model.config.num_labels)]
    return {"ids": ids, "logits": logits, "labels": labels, "class": type(model).__name__}


if __name__ == "__main__":
    json.dump(answers_of(sys.argv[1], json.load(sys.stdin)), sys.stdout)
