"""What every BERT checkpoint has in common, whoever wrote it: the keys of its config and the names of its weights."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from keras_ft.errors import RequestError
from keras_ft.layers.arithmetic import Arithmetic
from keras_ft.layers.transformer_layer import layer_variables
from keras_ft.presets.checkpoint import Tensors, assign, check_config
from keras_ft.presets.family import BERT, new_backbone

# keras-hub's argument: the key in config.json and bert_config.json
BACKBONE_FROM_CONFIG = {
    "vocabulary_size": "vocab_size",
    "num_layers": "num_hidden_layers",
    "num_heads": "num_attention_heads",
    "hidden_dim": "hidden_size",
    "intermediate_dim": "intermediate_size",
    "max_sequence_length": "max_position_embeddings",
    "num_segments": "type_vocab_size",
}
DEFAULTS = {"type_vocab_size": 2, "max_position_embeddings": 512, "layer_norm_eps": 1e-12, "hidden_act": "gelu"}


def complete(config: dict[str, Any], path: Path, name: str) -> dict[str, Any]:
    """A BERT's config with what it leaves out filled in.

    Args:
        config: of the checkpoint.
        path: where it was read, for messages.
        name: how the recipe called the checkpoint, for messages.

    Raises:
        RequestError: it does not describe a BERT as ours.
    """
    where = f"backbone {name}: {path}"
    config = DEFAULTS | config
    check_config(config, BACKBONE_FROM_CONFIG.values(), "hidden_act", where)
    if config.get("position_embedding_type", "absolute") != "absolute":
        raise RequestError(f"{where} has {config['position_embedding_type']} positions; only absolute")
    return config


def backbone_of(config: dict[str, Any]) -> Any:
    """A backbone of this config's sizes, with fresh weights."""
    return new_backbone(BERT, {ours: config[theirs] for ours, theirs in BACKBONE_FROM_CONFIG.items()})


def arithmetic_of(config: dict[str, Any]) -> Arithmetic:
    """What the config says about the arithmetic."""
    return Arithmetic(config["hidden_act"], float(config["layer_norm_eps"]))


def fill(backbone: Any, tensors: Tensors, path: Path) -> bool:
    """Assign every weight; the pooler alone may be absent.

    Args:
        backbone: a `keras_hub.models.BertBackbone`.
        tensors: by the names of `variables`, kernels as `(inputs, outputs)`.
        path: the file they come from, for messages.

    Returns:
        Whether the checkpoint had a pooler.

    Raises:
        RequestError: a tensor is missing or has another shape.
    """
    has_pooler = "pooler.dense.weight" in tensors
    for name, variable in variables(backbone):
        if has_pooler or not name.startswith("pooler."):
            assign(name, [variable], tensors, path, "BERT")
    return has_pooler


def canonical(name: str) -> str:
    """A tensor's name without the prefix of task models, with layer norms named as today."""
    name = name.removeprefix("bert.")
    return name.replace("LayerNorm.gamma", "LayerNorm.weight").replace("LayerNorm.beta", "LayerNorm.bias")


def is_kernel(name: str) -> bool:
    """Whether a weight of `variables` is a matrix to multiply by, which torch keeps transposed."""
    return name.endswith("weight") and "LayerNorm" not in name and not name.startswith("embeddings.")


def variables(backbone: Any) -> Iterator[tuple[str, Any]]:
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
