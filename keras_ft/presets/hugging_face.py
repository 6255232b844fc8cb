"""Local Hugging Face folders: `config.json`, `model.safetensors`, and `vocab.txt` or `tokenizer.json`."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from keras_ft.errors import RequestError
from keras_ft.layers.activation import INFERENCE as ACTIVATIONS
from keras_ft.layers.bert_view import BertConfig, layer_variables
from keras_ft.presets.pretrained import Pretrained, check_vocabulary, new_backbone
from keras_ft.text.wordpiece import WordPieceTokenizer

# keras-hub's argument: Hugging Face's key
BACKBONE_FROM_CONFIG = {
    "vocabulary_size": "vocab_size",
    "num_layers": "num_hidden_layers",
    "num_heads": "num_attention_heads",
    "hidden_dim": "hidden_size",
    "intermediate_dim": "intermediate_size",
    "max_sequence_length": "max_position_embeddings",
    "num_segments": "type_vocab_size",
}


def load_hugging_face(folder: Path, name: str) -> Pretrained:
    """Load a BERT saved by transformers.

    Args:
        folder: holds `config.json`, `model.safetensors` and a tokenizer.
        name: how the recipe called it, for messages.

    Raises:
        RequestError: a file is missing or corrupt, the model is not a BERT, or a weight has another shape.
    """
    config = _read_config(folder, name)
    backbone = new_backbone({ours: config[theirs] for ours, theirs in BACKBONE_FROM_CONFIG.items()})
    tensors = _read_weights(folder / "model.safetensors")
    has_pooler = _fill(backbone, tensors, folder / "model.safetensors")
    tokenizer = WordPieceTokenizer.from_hugging_face(folder)
    check_vocabulary(name, backbone, tokenizer)
    arithmetic = BertConfig(config["hidden_act"], float(config["layer_norm_eps"]))
    return Pretrained(name, backbone, arithmetic, tokenizer, _pooling(folder, has_pooler))


def _read_config(folder: Path, name: str) -> dict[str, Any]:
    path = folder / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RequestError(f"backbone {name}: cannot read {path} ({error})") from None
    if not isinstance(config, dict):
        raise RequestError(f"backbone {name}: {path} should be a JSON object")
    if config.get("model_type", "bert") != "bert":
        raise RequestError(f"backbone {name}: {path} describes a {config['model_type']} model; only bert is supported")
    config.setdefault("type_vocab_size", 2)
    config.setdefault("layer_norm_eps", 1e-12)
    config.setdefault("hidden_act", "gelu")
    missing = [key for key in BACKBONE_FROM_CONFIG.values() if key not in config]
    if missing:
        raise RequestError(f"backbone {name}: {path} lacks {', '.join(missing)}")
    if config["hidden_act"] not in ACTIVATIONS:
        raise RequestError(
            f"backbone {name}: {path} has hidden_act {config['hidden_act']!r}; known: {', '.join(ACTIVATIONS)}"
        )
    if config.get("position_embedding_type", "absolute") != "absolute":
        raise RequestError(f"backbone {name}: {path} has {config['position_embedding_type']} positions; only absolute")
    return config


def _read_weights(path: Path) -> dict[str, np.ndarray]:
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise RequestError(f"{path} does not exist; save the model with save_pretrained(safe_serialization=True)")
    try:
        with safe_open(path, framework="np") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys() if "position_ids" not in name}  # noqa: SIM118
    except (SafetensorError, ValueError, TypeError, KeyError) as error:
        raise RequestError(f"{path} is corrupt ({error}); fetch or copy it again") from None
    return {_canonical(name): tensor.astype("float32", copy=False) for name, tensor in tensors.items()}


def _canonical(name: str) -> str:
    """The name without the prefix of task models, with layer norms named as today."""
    name = name.removeprefix("bert.")
    return name.replace("LayerNorm.gamma", "LayerNorm.weight").replace("LayerNorm.beta", "LayerNorm.bias")


def _fill(backbone: Any, tensors: dict[str, np.ndarray], path: Path) -> bool:
    """Assign every weight; returns whether the checkpoint had a pooler."""
    has_pooler = "pooler.dense.weight" in tensors
    for name, variable in _variables(backbone):
        if name.startswith("pooler.") and not has_pooler:
            continue
        tensor = tensors.get(name)
        if tensor is None:
            raise RequestError(f"{path} has no tensor '{name}'; it is not a BERT checkpoint")
        if name.endswith("weight") and tensor.ndim == 2 and "embeddings" not in name:
            tensor = tensor.T  # torch keeps (outputs, inputs)
        if tensor.size != np.prod(variable.shape):
            raise RequestError(f"{path}: '{name}' is {tensor.shape}, config.json wants {tuple(variable.shape)}")
        variable.assign(tensor.reshape(variable.shape))
    return has_pooler


def _variables(backbone: Any) -> Iterator[tuple[str, Any]]:
    """Hugging Face's name and keras-hub's variable, for every weight of a BERT."""
    yield "embeddings.word_embeddings.weight", backbone.token_embedding.embeddings
    yield "embeddings.position_embeddings.weight", backbone.position_embedding.position_embeddings
    yield "embeddings.token_type_embeddings.weight", backbone.segment_embedding.embeddings
    yield "embeddings.LayerNorm.weight", backbone.embeddings_layer_norm.gamma
    yield "embeddings.LayerNorm.bias", backbone.embeddings_layer_norm.beta
    for number, layer in enumerate(backbone.transformer_layers):
        prefix = f"encoder.layer.{number}."
        for part, first, second in layer_variables(layer):
            yield f"{prefix}{part}.weight", first
            yield f"{prefix}{part}.bias", second
    yield "pooler.dense.weight", backbone.pooled_dense.kernel
    yield "pooler.dense.bias", backbone.pooled_dense.bias


def _pooling(folder: Path, has_pooler: bool) -> str:
    """What a sentence-transformers checkpoint says, else BERT's own way."""
    path = folder / "1_Pooling" / "config.json"
    if path.is_file():
        modes = json.loads(path.read_text(encoding="utf-8"))
        return "first" if modes.get("pooling_mode_cls_token") else "mean"
    return "pooler" if has_pooler else "first"
