"""GPT-2 as transformers keeps it: the keys of its config and the names of its weights."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from keras_ft.errors import RequestError
from keras_ft.layers.arithmetic import Arithmetic
from keras_ft.layers.transformer_layer import layer_variables
from keras_ft.presets.checkpoint import Tensors, assign, check_config
from keras_ft.presets.family import GPT2, new_backbone

# keras-hub's argument: the key in config.json
BACKBONE_FROM_CONFIG = {
    "vocabulary_size": "vocab_size",
    "num_layers": "n_layer",
    "num_heads": "n_head",
    "hidden_dim": "n_embd",
    "intermediate_dim": "n_inner",
    "max_sequence_length": "n_positions",
}
DEFAULTS = {"n_positions": 1024, "activation_function": "gelu_new", "layer_norm_epsilon": 1e-5}
PLAIN = {  # what changes the arithmetic of a GPT-2, and the value that ours has
    "scale_attn_weights": True,
    "scale_attn_by_inverse_layer_idx": False,
    "add_cross_attention": False,
    "tie_word_embeddings": True,
}


def complete(config: dict[str, Any], path: Path, name: str) -> dict[str, Any]:
    """A GPT-2's config with what it leaves out filled in.

    Args:
        config: of the checkpoint.
        path: where it was read, for messages.
        name: how the recipe called the checkpoint, for messages.

    Raises:
        RequestError: it does not describe a GPT-2 as ours.
    """
    where = f"backbone {name}: {path}"
    config = {**DEFAULTS, **config}
    if config.get("n_inner") is None and isinstance(config.get("n_embd"), int):
        config["n_inner"] = 4 * config["n_embd"]
    check_config(config, BACKBONE_FROM_CONFIG.values(), "activation_function", where)
    if config["n_embd"] % config["n_head"]:
        raise RequestError(f"{where} has n_embd {config['n_embd']}, which is no multiple of n_head {config['n_head']}")
    for key, value in PLAIN.items():
        if config.get(key, value) != value:
            raise RequestError(f"{where} has {key} {config[key]!r}; only {value!r} is supported")
    return config


def backbone_of(config: dict[str, Any]) -> Any:
    """A backbone of this config's sizes, with fresh weights."""
    return new_backbone(GPT2, {ours: config[theirs] for ours, theirs in BACKBONE_FROM_CONFIG.items()})


def arithmetic_of(config: dict[str, Any]) -> Arithmetic:
    """What the config says about the arithmetic."""
    return Arithmetic(config["activation_function"], float(config["layer_norm_epsilon"]))


def fill(backbone: Any, tensors: Tensors, path: Path) -> None:
    """Assign every weight.

    Args:
        backbone: a `keras_hub.models.GPT2Backbone`.
        tensors: by the names of `variables`.
        path: the file they come from, for messages.

    Raises:
        RequestError: a tensor is missing or has another shape.
    """
    for name, parts in variables(backbone):
        assign(name, parts, tensors, path, "GPT-2")


def canonical(name: str) -> str:
    """A tensor's name without the prefix of task models."""
    return name.removeprefix("transformer.")


def variables(backbone: Any) -> Iterator[tuple[str, list[Any]]]:
    """Hugging Face's name and keras-hub's variable, for every weight; queries, keys and values are one of theirs.

    Kernels are `(inputs, outputs)` in both: GPT-2's authors wrote its dense layers as convolutions.
    """
    yield "wte.weight", [backbone.token_embedding.embeddings]
    yield "wpe.weight", [backbone.position_embedding.position_embeddings]
    for number, layer in enumerate(backbone.transformer_layers):
        parts = {name: (first, second) for name, first, second in layer_variables(layer)}
        fused = [parts[f"attention.self.{name}"] for name in ("query", "key", "value")]
        named = {
            "ln_1": [parts["attention.output.LayerNorm"]],
            "attn.c_attn": fused,
            "attn.c_proj": [parts["attention.output.dense"]],
            "ln_2": [parts["output.LayerNorm"]],
            "mlp.c_fc": [parts["intermediate.dense"]],
            "mlp.c_proj": [parts["output.dense"]],
        }
        for name, pairs in named.items():
            yield f"h.{number}.{name}.weight", [first for first, _ in pairs]
            yield f"h.{number}.{name}.bias", [second for _, second in pairs]
    yield "ln_f.weight", [backbone.layer_norm.gamma]
    yield "ln_f.bias", [backbone.layer_norm.beta]
