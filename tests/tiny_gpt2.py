"""A tiny GPT-2 in Hugging Face's format, and what it computes, in numpy alone."""

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from tests.tiny import tiny_byte_pair

GPT2 = {"vocab_size": 450, "n_layer": 2, "n_head": 4, "n_embd": 32, "n_inner": None, "n_positions": 64}


def write_hugging_face_gpt2(folder: Path, seed: int = 0, prefix: str = "", buffers: bool = True, **config) -> Path:
    """A folder as transformers writes it, with random weights."""
    config = {"model_type": "gpt2", "activation_function": "gelu_new", "layer_norm_epsilon": 1e-5, **GPT2, **config}
    hidden = config["n_embd"]
    wide = config["n_inner"] or 4 * hidden
    rng = np.random.default_rng(seed)

    def random(*shape: int) -> np.ndarray:
        return rng.normal(0, 0.2, shape).astype("float32")

    tensors = {"wte.weight": random(config["vocab_size"], hidden), "wpe.weight": random(config["n_positions"], hidden)}
    shapes = {"attn.c_attn": (hidden, 3 * hidden), "attn.c_proj": (hidden, hidden)}
    shapes |= {"mlp.c_fc": (hidden, wide), "mlp.c_proj": (wide, hidden)}
    norms = ["ln_f"]
    for number in range(config["n_layer"]):
        for name, shape in shapes.items():
            tensors[f"h.{number}.{name}.weight"], tensors[f"h.{number}.{name}.bias"] = random(*shape), random(shape[1])
        norms += [f"h.{number}.ln_1", f"h.{number}.ln_2"]
        if buffers:
            tensors[f"h.{number}.attn.bias"] = np.tril(np.ones((1, 1, 64, 64), "bool"))
            tensors[f"h.{number}.attn.masked_bias"] = np.array(-1e4, "float32")
    for name in norms:
        tensors[f"{name}.weight"], tensors[f"{name}.bias"] = 1 + random(hidden), random(hidden)
    tiny_byte_pair(folder)
    save_file({prefix + name: tensor for name, tensor in tensors.items()}, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return folder


def reference_hidden_states(folder: Path, ids: np.ndarray, heads: int = 4) -> np.ndarray:
    """Last hidden states of one text, `(tokens, hidden)`, written after OpenAI's model.py, in float64."""
    w = {name: tensor.astype("float64") for name, tensor in load_file(folder / "model.safetensors").items()}
    tokens, hidden = len(ids), w["wte.weight"].shape[1]
    x = w["wte.weight"][ids] + w["wpe.weight"][:tokens]

    def norm(x: np.ndarray, name: str) -> np.ndarray:
        x = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)
        return x * w[f"{name}.weight"] + w[f"{name}.bias"]

    def conv1d(x: np.ndarray, name: str) -> np.ndarray:
        return x @ w[f"{name}.weight"] + w[f"{name}.bias"]

    for number in range(sum(name.endswith("ln_1.weight") for name in w)):
        h = f"h.{number}."
        q, k, v = np.split(conv1d(norm(x, h + "ln_1"), h + "attn.c_attn"), 3, axis=-1)
        q, k, v = (np.moveaxis(part.reshape(tokens, heads, hidden // heads), 1, 0) for part in (q, k, v))
        scores = q @ np.swapaxes(k, 1, 2) / np.sqrt(hidden // heads)
        scores = np.where(np.tril(np.ones((tokens, tokens), bool)), scores, -np.inf)
        odds = np.exp(scores - scores.max(-1, keepdims=True))
        mixed = np.moveaxis(odds / odds.sum(-1, keepdims=True) @ v, 0, 1).reshape(tokens, hidden)
        x = x + conv1d(mixed, h + "attn.c_proj")
        u = conv1d(norm(x, h + "ln_2"), h + "mlp.c_fc")
        u = 0.5 * u * (1 + np.tanh(np.sqrt(2 / np.pi) * (u + 0.044715 * u**3)))
        x = x + conv1d(u, h + "mlp.c_proj")
    return norm(x, "ln_f")
