"""The GPT-2 that `generation.py` and `generation_parity.py` write with, and the prompts that they give it."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import texts
from language_model_data import VOCABULARY

PROMPT, NEW_TOKENS = 32, 64
POSITIONS = 1024
SIZES = {
    "vocabulary_size": 50257,
    "num_layers": 6,
    "num_heads": 12,
    "hidden_dim": 768,
    "intermediate_dim": 3072,
    "max_sequence_length": POSITIONS,
}
QUICK = {**SIZES, "num_layers": 2, "num_heads": 4, "hidden_dim": 64, "intermediate_dim": 256}  # to try a script out
END = SIZES["vocabulary_size"] - 1
PROMPTS = 200


def write_model(folder: Path, sizes: dict[str, int]) -> Path:
    """Write a GPT-2 with random weights as transformers keeps it; returns the folder.

    Layers are strong beside embeddings, so that the most probable token is clear and is not the last one again. The
    token that ends a text has an embedding of zeros: its logit is 0, far below the highest, and no text ends.

    Args:
        folder: to be made.
        sizes: as keras-hub names them; a model with fewer positions has the same weights.
    """
    from safetensors.numpy import save_file

    from keras_ft.presets.gpt2_checkpoint import BACKBONE_FROM_CONFIG

    rng, hidden, wide = np.random.default_rng(0), sizes["hidden_dim"], sizes["intermediate_dim"]

    def random(*shape: int, deviation: float) -> np.ndarray:
        return rng.standard_normal(shape, "float32") * np.float32(deviation)

    tensors = {
        "wte.weight": random(sizes["vocabulary_size"], hidden, deviation=0.08),
        "wpe.weight": random(POSITIONS, hidden, deviation=0.02)[: sizes["max_sequence_length"]],
    }
    tensors["wte.weight"][END] = 0.0
    shapes = {"attn.c_attn": (hidden, 3 * hidden), "attn.c_proj": (hidden, hidden)}
    shapes |= {"mlp.c_fc": (hidden, wide), "mlp.c_proj": (wide, hidden)}
    for layer in range(sizes["num_layers"]):
        for name, shape in shapes.items():
            tensors[f"h.{layer}.{name}.weight"] = random(*shape, deviation=1.5 * shape[0] ** -0.5)
            tensors[f"h.{layer}.{name}.bias"] = random(shape[1], deviation=0.1)
    for name in [f"h.{layer}.ln_{place}" for layer in range(sizes["num_layers"]) for place in (1, 2)] + ["ln_f"]:
        tensors[f"{name}.weight"] = 1 + random(hidden, deviation=0.1)
        tensors[f"{name}.bias"] = random(hidden, deviation=0.1)
    folder.mkdir()
    shutil.copy(VOCABULARY / "encoder.json", folder / "vocab.json")
    shutil.copy(VOCABULARY / "vocab.bpe", folder / "merges.txt")
    save_file({f"transformer.{name}": t for name, t in tensors.items()}, folder / "model.safetensors", {"format": "pt"})
    config = {theirs: sizes[ours] for ours, theirs in BACKBONE_FROM_CONFIG.items()}
    config |= {"model_type": "gpt2", "bos_token_id": END, "eos_token_id": END}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def trained_model(folder: Path, **generation: Any) -> Any:
    """The weights of a folder under the task `causal_lm`, as a `TrainedModel`.

    Args:
        folder: what `write_model` wrote.
        generation: options of the recipe's `generation`.
    """
    from keras_ft.presets.load import load_pretrained
    from keras_ft.tasks.causal_lm import CausalLM
    from keras_ft.tasks.model import TrainedModel, build_model

    pretrained = load_pretrained(str(folder))
    task = CausalLM(max_length=pretrained.backbone.max_sequence_length, generation=generation)
    return TrainedModel(task, pretrained, build_model(task, pretrained, seed=0))


def write_prompts(path: Path, lengths: tuple[int, ...] = (PROMPT,), count: int = PROMPTS) -> Path:
    """Write beginnings of AG News' texts, as strings and as the ids that these have; returns the path.

    Args:
        path: of the JSON lines.
        lengths: of the prompts in tokens, in turn.
        count: how many.
    """
    import tensorflow as tf

    from keras_ft.text.byte_pair import BytePairTokenizer

    tokenizer = BytePairTokenizer.from_files(VOCABULARY / "encoder.json", VOCABULARY / "vocab.bpe")
    whole = tokenizer.tokenize([row["text"] for row in texts.read("ag_news", "test")[: 10 * count]]).to_list()
    wanted = [lengths[number % len(lengths)] for number in range(len(whole))]
    cut = [ids[:length] for ids, length in zip(whole, wanted, strict=True) if len(ids) >= length]
    beginnings = tokenizer.detokenize(tf.ragged.constant(cut, tf.int32)).numpy()
    again = tokenizer.tokenize(beginnings).to_list()
    pairs = [(text, ids) for text, ids, same in zip(beginnings, cut, again, strict=True) if ids == same]
    assert len(pairs) >= count, f"only {len(pairs)} texts have such beginnings"
    return texts.write_file([{"text": text.decode(), "ids": ids} for text, ids in pairs[:count]], path)
