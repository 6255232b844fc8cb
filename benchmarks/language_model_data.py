"""What every side of `language_model.py` starts from: a recipe, random weights in Hugging Face's format, and blocks."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np

SHARED = Path(__file__).parents[2] / "shared" / "data"
CORPORA, VOCABULARY = SHARED / "corpora", SHARED / "vocab" / "gpt2"
BLOCK, BATCH_SIZE = 256, 8
SIZES = {"num_layers": 4, "num_heads": 4, "hidden_dim": 256, "intermediate_dim": 1024, "max_sequence_length": BLOCK}
DROPOUT = 0.1
LEARNING_RATE, WARMUP, WEIGHT_DECAY, CLIP_NORM = 1e-3, 0.1, 0.01, 1.0


def recipe(engine: str, precision: str, steps: int, corpora: Path, backbone: str) -> dict[str, Any]:
    """Of `keras-ft train`; it evaluates once, at the end."""
    never = f"{10 * steps} steps"
    texts = {name: str(corpora / "tiny_shakespeare" / f"{name}.txt") for name in ("train", "test")}
    return {
        "task": "causal_lm",
        "backbone": backbone,
        "data": {"train": texts["train"], "validation": [texts["test"]], "test": texts["test"], "max_length": BLOCK},
        "train": {
            "steps": steps,
            "batch_size": BATCH_SIZE,
            "learning_rate": LEARNING_RATE,
            "schedule": "linear",
            "warmup": WARMUP,
            "weight_decay": WEIGHT_DECAY,
            "clip_norm": CLIP_NORM,
            "precision": precision,
            "dropout": DROPOUT,
            "evaluate_every": never,
            "checkpoint": {"every": never},
        },
        "runtime": {"engine": engine},
        "logging": {"tensorboard": False},
    }


def write_start(corpora: Path, folder: Path) -> None:
    """Write a new model as transformers would, and the blocks of train and test as `prepare` makes them."""
    import keras

    from keras_ft.presets.load import load_pretrained
    from keras_ft.recipe import Recipe
    from keras_ft.training.prepare import prepare

    keras.utils.set_random_seed(0)
    shutil.copy(VOCABULARY / "encoder.json", folder / "vocab.json")
    shutil.copy(VOCABULARY / "vocab.bpe", folder / "merges.txt")
    files = {"vocabulary": str(folder / "vocab.json"), "merges": str(folder / "merges.txt")}
    pretrained = load_pretrained({"family": "gpt2", **files, **SIZES})
    _write_hugging_face(pretrained, folder)
    plain = Recipe.model_validate(recipe("tensorflow", "float32", 1, corpora, str(folder)))
    for name, arrays in prepare(plain, pretrained, folder / "data", lambda line: None).splits.items():
        windows = arrays.gather(np.arange(arrays.num_examples))
        np.savez(folder / f"{name}.npz", ids=windows["ids"], lengths=arrays.lengths)


def _write_hugging_face(pretrained: Any, folder: Path) -> None:
    from safetensors.numpy import save_file

    from keras_ft.presets.gpt2_checkpoint import BACKBONE_FROM_CONFIG, variables

    tensors = {}
    for name, parts in variables(pretrained.backbone):
        values = [np.array(part) for part in parts]
        if "attn.c_attn" in name:  # queries, keys and values side by side
            values = [value.reshape(*([SIZES["hidden_dim"]] if "weight" in name else []), -1) for value in values]
        elif "attn.c_proj.weight" in name:
            values = [value.reshape(-1, SIZES["hidden_dim"]) for value in values]
        tensors[f"transformer.{name}"] = np.concatenate(values, axis=-1)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    sizes = {theirs: getattr(pretrained.backbone, ours) for ours, theirs in BACKBONE_FROM_CONFIG.items()}
    rates = dict.fromkeys(("embd_pdrop", "attn_pdrop", "resid_pdrop"), DROPOUT)
    (folder / "config.json").write_text(json.dumps({"model_type": "gpt2", **sizes, **rates}))
