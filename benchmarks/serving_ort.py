"""onnxruntime on its turn to answer texts; `serving.py` runs it in an environment with onnxruntime and tokenizers.

    ORT_PYTHON benchmarks/serving_ort.py MODEL.onnx FOLDER TEXTS.jsonl

FOLDER holds tokenizer.json and config.json. All graph optimizations are on, and a thread a core, spinning as is the
default. (onnxruntime's separate transformer optimizer finds no attention to fuse in what torch 2.13 exports.)
"""

import json
import os
import sys
from pathlib import Path

import numpy as np
import onnxruntime
from texts import read_file
from tokenizers import Tokenizer
from turns import Labelled, answer_texts

MAX_LENGTH = 128


class Classifier:
    """Texts → labels and scores: tokens padded to the longest of the batch, logits, softmax."""

    def __init__(self, model: str, folder: str | Path):
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        options.intra_op_num_threads = os.cpu_count()
        self.session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        self.tokenizer = Tokenizer.from_file(str(Path(folder) / "tokenizer.json"))
        self.tokenizer.enable_truncation(MAX_LENGTH)
        self.tokenizer.enable_padding()
        config = json.loads((Path(folder) / "config.json").read_text(encoding="utf-8"))
        self.labels = [config["id2label"][str(i)] for i in range(len(config["id2label"]))]

    def __call__(self, texts: list[str]) -> Labelled:
        """Answer a batch."""
        encoded = self.tokenizer.encode_batch(texts)
        feed = {
            "input_ids": np.array([it.ids for it in encoded]),
            "attention_mask": np.array([it.attention_mask for it in encoded]),
            "token_type_ids": np.array([it.type_ids for it in encoded]),
        }
        (logits,) = self.session.run(["logits"], feed)
        exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
        scores = exponentials.max(axis=1) / exponentials.sum(axis=1)
        return [self.labels[i] for i in logits.argmax(axis=1)], scores


if __name__ == "__main__":
    model, folder, path = sys.argv[1:]
    answer_texts([row["text"] for row in read_file(Path(path))], Classifier(model, Path(folder)))
