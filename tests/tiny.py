"""Tiny real models and data, made on the spot, for every test that trains or exports."""

import json
from pathlib import Path

import numpy as np

TOKENS = [
    *("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"),
    *"abcdefghijklmnopqrstuvwxyz0123456789.,!?'",
    *(f"##{c}" for c in "abcdefghijklmnopqrstuvwxyz0123456789"),
    *("good", "bad", "film", "great", "awful", "the", "is", "was", "this", "very", "not", "##ing", "##ed"),
    *"今天气真好我们去公园吧不喜欢电影很差",
]
GOOD = ["great film", "this was good", "very good!", "今天真好", "a great, great day", "good"]
BAD = ["awful film", "this was bad", "not good, awful", "电影很差", "bad bad bad", "awful"]
SENTENCES = [
    "The weather is good today, so we're going to the park together with the children.",
    "She didn't like the film very much, but the music in it was great.",
    "I have been reading this book for three weeks and it's still interesting!",
    "What is the weather like in the city where you're living? It was raining there yesterday.",
    "They told us that they'd come back in 2024, after the summer holidays were over.",
    "Translate the following sentence, then write a short title for this text.",
    "The children were singing and dancing while their parents were talking about the news.",
    "今天天气很好，我们一起去公园吧。",
    "我不喜欢这部电影，但是音乐很好听。",
    "他们说明天会下雨，你记得带伞。",
    "你好吗？我很好，谢谢你。今天我们一起学习中文。",
    "आज मौसम बहुत अच्छा है। كيف حالك اليوم؟ 🙂 👍🏽 naïve café, Füße",
]
BERT = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}


def write_vocabulary(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{token}\n" for token in TOKENS), encoding="utf-8")
    return path


def write_hugging_face(folder: Path, seed: int = 0, prefix: str = "", pooler: bool = True, **config) -> Path:
    """A Hugging Face BERT folder with random weights."""
    from safetensors.numpy import save_file

    config = {
        "model_type": "bert",
        "vocab_size": len(TOKENS),
        "max_position_embeddings": 64,
        "type_vocab_size": 2,
        "layer_norm_eps": 1e-12,
        "hidden_act": "gelu",
        **BERT,
        **config,
    }
    hidden, wide = config["hidden_size"], config["intermediate_size"]
    rng = np.random.default_rng(seed)

    def random(*shape: int) -> np.ndarray:
        return rng.normal(0, 0.1, shape).astype("float32")

    tensors = {
        "embeddings.word_embeddings.weight": random(config["vocab_size"], hidden),
        "embeddings.position_embeddings.weight": random(config["max_position_embeddings"], hidden),
        "embeddings.token_type_embeddings.weight": random(2, hidden),
        "embeddings.LayerNorm.weight": 1 + random(hidden),
        "embeddings.LayerNorm.bias": random(hidden),
    }
    for number in range(config["num_hidden_layers"]):
        layer = f"encoder.layer.{number}."
        shapes = {
            "attention.self.query": (hidden, hidden),
            "attention.self.key": (hidden, hidden),
            "attention.self.value": (hidden, hidden),
            "attention.output.dense": (hidden, hidden),
            "intermediate.dense": (wide, hidden),
            "output.dense": (hidden, wide),
        }
        for name, shape in shapes.items():
            tensors[f"{layer}{name}.weight"], tensors[f"{layer}{name}.bias"] = random(*shape), random(shape[0])
        for name in ("attention.output.LayerNorm", "output.LayerNorm"):
            tensors[f"{layer}{name}.weight"], tensors[f"{layer}{name}.bias"] = 1 + random(hidden), random(hidden)
    if pooler:
        tensors["pooler.dense.weight"], tensors["pooler.dense.bias"] = random(hidden, hidden), random(hidden)
    folder.mkdir(parents=True, exist_ok=True)
    save_file({prefix + name: tensor for name, tensor in tensors.items()}, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    write_vocabulary(folder / "vocab.txt")
    return folder


def write_jsonl(path: Path, rows: list[dict]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def sentiment_rows(count: int = 48) -> list[dict]:
    texts = [(text, "good") for text in GOOD] + [(text, "bad") for text in BAD]
    return [{"text": f"{texts[i % 12][0]} {i}", "label": texts[i % 12][1]} for i in range(count)]


def write_recipe(folder: Path, **changes: str) -> Path:
    """A recipe over a tiny model and data, all in `folder`; `changes` replace whole sections (YAML)."""
    write_hugging_face(folder / "bert", num_hidden_layers=1)
    write_jsonl(folder / "train.jsonl", sentiment_rows())
    write_jsonl(folder / "test.jsonl", sentiment_rows(12))
    sections = {
        "task": "classification",
        "backbone": "bert",
        "data": "{train: train.jsonl, validation: 0.25, test: test.jsonl, max_length: 32}",
        "train": "{epochs: 12, batch_size: 8, learning_rate: 3.0e-3}",
        **changes,
    }
    path = folder / "recipe.yaml"
    path.write_text("".join(f"{key}: {value}\n" for key, value in sections.items()), encoding="utf-8")
    return path


def tiny_byte_pair(folder: Path) -> Path:
    """A folder with the `vocab.json` and `merges.txt` of 450 tokens: bytes, merges learned here, "<|endoftext|>"."""
    from tokenizers import Tokenizer
    from tokenizers.models import BPE
    from tokenizers.pre_tokenizers import ByteLevel
    from tokenizers.trainers import BpeTrainer

    learner = Tokenizer(BPE())
    learner.pre_tokenizer = ByteLevel(add_prefix_space=False)
    trainer = BpeTrainer(vocab_size=449, initial_alphabet=ByteLevel.alphabet(), show_progress=False)
    learner.train_from_iterator(SENTENCES, trainer)
    model = json.loads(learner.to_str())["model"]
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = {**model["vocab"], "<|endoftext|>": len(model["vocab"])}
    (folder / "vocab.json").write_text(json.dumps(vocabulary, ensure_ascii=False), encoding="utf-8")
    lines = ["#version: 0.2", *(" ".join(merge) for merge in model["merges"])]
    (folder / "merges.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder
