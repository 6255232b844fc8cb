"""Tiny GPT-2 recipes for every test of a task that writes."""

from pathlib import Path

import keras_hub
import numpy as np

from keras_ft.layers.arithmetic import Arithmetic
from keras_ft.layers.task_model import TaskModel
from keras_ft.text.byte_pair import BytePairTokenizer
from tests.tiny import SENTENCES, tiny_byte_pair, write_jsonl

SPEAKERS = ("<|user|>", "<|bot|>")
GPT2 = (
    "{family: gpt2, vocabulary: bpe/vocab.json, merges: bpe/merges.txt, num_layers: 1, num_heads: 2, hidden_dim: 32,"
    " intermediate_dim: 64, max_sequence_length: 64}"
)
ROWS = {
    "causal_lm": [{"text": text} for text in SENTENCES],
    "text2text": [{"source": text, "target": text.split(" ")[0]} for text in SENTENCES],
    "dialogue": [{"turns": [text, "yes", "why?", text.split(" ")[-1]]} for text in SENTENCES],
}


def tiny_tokenizer(folder: Path) -> BytePairTokenizer:
    """Knows the speakers too."""
    tiny_byte_pair(folder)
    return BytePairTokenizer.from_files(folder / "vocab.json", folder / "merges.txt").with_added_tokens(SPEAKERS)


def tiny_gpt2(vocabulary_size: int = 100, positions: int = 48) -> TaskModel:
    """A GPT-2 whose weights do not depend on the backend."""
    backbone = keras_hub.models.GPT2Backbone(vocabulary_size, 2, 2, 16, 32, dropout=0.0, max_sequence_length=positions)
    model = TaskModel(backbone, Arithmetic("gelu_new", 1e-5), None)
    rng = np.random.default_rng(2)
    for variable in model.weights:
        value = rng.normal(0, 0.1, variable.shape).astype("float32")
        variable.assign(value + (variable.path.endswith("gamma")))
    return model


def write_language_recipe(folder: Path, kind: str, rows: list[dict] | None = None, **changes: str) -> Path:
    """A recipe over a tiny model and data, all in `folder`; `changes` replace whole sections (YAML)."""
    tiny_byte_pair(folder / "bpe")
    write_jsonl(folder / "train.jsonl", 4 * ROWS[kind] if rows is None else rows)
    write_jsonl(folder / "test.jsonl", ROWS[kind])
    sections = {
        "task": kind,
        "backbone": GPT2,
        "data": "{train: train.jsonl, validation: 0.25, test: test.jsonl, max_length: 48}",
        "train": "{epochs: 2, batch_size: 8, learning_rate: 3.0e-3}",
        **changes,
    }
    path = folder / "recipe.yaml"
    path.write_text("".join(f"{key}: {value}\n" for key, value in sections.items()), encoding="utf-8")
    return path
