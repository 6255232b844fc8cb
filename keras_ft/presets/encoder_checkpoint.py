"""What the checkpoints of a family of encoders have in common: the keys of a config and the names of weights."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from keras_ft.errors import RequestError
from keras_ft.layers.arithmetic import Arithmetic
from keras_ft.layers.encoder_view import (
    encoder_layers,
    pooler_of,
    position_embedding_of,
    projection_of,
    segment_embedding_of,
)
from keras_ft.layers.transformer_layer import layer_variables
from keras_ft.presets.checkpoint import Tensors, assign, check_config
from keras_ft.presets.family import Family, new_backbone

POSITIONS = "embeddings.position_embeddings.weight"
SEGMENTS = "embeddings.token_type_embeddings.weight"


@dataclass(frozen=True)
class EncoderCheckpoint:
    """How Hugging Face keeps a family of encoders; the defaults are BERT's.

    Attributes:
        family: the kind of backbone.
        model: as messages call it.
        prefix: of the weights' names in models with a head.
        keys: keras-hub's argument → the key in config.json.
        defaults: what the config says where it says nothing.
        activation: the key of the activation.
        epsilon: the key of the layer norms' epsilon; None where it is always 1e-12.
        layer: what begins the names of a layer's weights, with the numbers of the layer.
        parts: BERT's name of a layer's part → this family's, where it differs.
        pooler, projection: names of these layers.
        has_padding_position: whether positions begin behind that of padding, and texts have one segment that counts.
    """

    family: Family
    model: str
    prefix: str
    keys: dict[str, str]
    defaults: dict[str, Any]
    activation: str = "hidden_act"
    epsilon: str | None = "layer_norm_eps"
    layer: str = "encoder.layer.{}."
    parts: dict[str, str] = field(default_factory=dict)
    pooler: str = "pooler.dense"
    projection: str = "embeddings_project"
    has_padding_position: bool = False

    def complete(self, config: dict[str, Any], path: Path, name: str) -> dict[str, Any]:
        """A config with what it leaves out filled in.

        Args:
            config: of the checkpoint.
            path: where it was read, for messages.
            name: how the recipe called the checkpoint, for messages.

        Raises:
            RequestError: it does not describe a model as ours.
        """
        where = f"backbone {name}: {path}"
        config = self.defaults | config
        check_config(config, self.keys.values(), self.activation, where)
        if config.get("position_embedding_type", "absolute") != "absolute":
            raise RequestError(f"{where} has {config['position_embedding_type']} positions; only absolute")
        positions = config[self.keys["max_sequence_length"]]
        if positions <= self._first_position(config):
            raise RequestError(f"{where} has {positions} positions, of which none is for a token; it should have more")
        hidden, heads = config[self.keys["hidden_dim"]], config[self.keys["num_heads"]]
        if hidden % heads:
            raise RequestError(f"{where} has a hidden size of {hidden}, which is no multiple of its {heads} heads")
        layers, groups = config[self.keys["num_layers"]], config.get(self.keys.get("num_groups", ""), 1)
        if layers % groups:
            raise RequestError(f"{where} has {layers} layers, which is no multiple of its {groups} groups")
        return config

    def backbone_of(self, config: dict[str, Any]) -> Any:
        """A backbone of this config's sizes, with fresh weights."""
        sizes = {ours: config[theirs] for ours, theirs in self.keys.items()}
        sizes["max_sequence_length"] -= self._first_position(config)
        return new_backbone(self.family, sizes)

    def arithmetic_of(self, config: dict[str, Any]) -> Arithmetic:
        """What the config says about the arithmetic."""
        return Arithmetic(config[self.activation], float(config[self.epsilon]) if self.epsilon else 1e-12)

    def config_of(self, backbone: Any, arithmetic: Arithmetic, pad_id: int | None) -> dict[str, Any]:
        """The config of a backbone, as `complete` takes it."""
        config = {theirs: getattr(backbone, ours) for ours, theirs in self.keys.items()}
        config |= {"model_type": self.family.name, self.activation: arithmetic.hidden_act, "pad_token_id": pad_id}
        if self.epsilon:
            config[self.epsilon] = arithmetic.layer_norm_epsilon
        if self.has_padding_position:
            config["pad_token_id"] = 1 if pad_id is None else pad_id
            config["type_vocab_size"] = 1
            config[self.keys["max_sequence_length"]] += self._first_position(config)
        return config

    def fill(self, backbone: Any, tensors: Tensors, config: dict[str, Any], path: Path) -> bool:
        """Assign every weight; the pooler alone may be absent.

        Args:
            backbone: of this family.
            tensors: by the names of `variables`, kernels as `(inputs, outputs)`.
            config: of the checkpoint, complete.
            path: the file they come from, for messages.

        Returns:
            Whether the checkpoint had the family's pooler.

        Raises:
            RequestError: a tensor is missing or has another shape.
        """
        if self.has_padding_position and POSITIONS in tensors:
            positions = tensors[POSITIONS][self._first_position(config) :]
            segments = tensors.get(SEGMENTS)  # a text has but the first
            tensors = {**tensors, POSITIONS: positions if segments is None else positions + segments[0]}
        has_pooler = self.family.has_pooler and f"{self.pooler}.weight" in tensors
        for name, variable in self.variables(backbone):
            if has_pooler or not name.startswith("pooler."):
                assign(name, [variable], tensors, path, self.model)
        return has_pooler

    def tensors_of(self, backbone: Any, pad_id: int | None) -> Tensors:
        """Every weight by its name in Hugging Face's models with a head, kernels as torch keeps them."""
        tensors: Tensors = {}
        for name, variable in self.variables(backbone):
            values = np.array(variable)
            if is_kernel(name):  # (inputs, outputs), of which keras-hub cuts one into heads
                joins_heads = name.endswith(f"{self._part('attention.output.dense')}.weight")
                shape = (-1, values.shape[-1]) if joins_heads else (len(values), -1)
                values = values.reshape(shape).T
            elif not name.startswith("embeddings."):
                values = values.reshape(-1)  # keras-hub keeps biases of heads as (heads, head_dim)
            tensors[name] = values
        if self.has_padding_position:
            first = self._first_position({"pad_token_id": pad_id})
            tensors[POSITIONS] = np.pad(tensors[POSITIONS], ((first, 0), (0, 0)))
            tensors[SEGMENTS] = np.zeros((1, backbone.hidden_dim), "float32")
        return {f"{self.prefix}{name}": np.ascontiguousarray(values) for name, values in tensors.items()}

    def canonical(self, name: str) -> str:
        """A tensor's name without the prefix of models with a head, with layer norms named as today."""
        name = name.removeprefix(self.prefix)
        return name.replace("LayerNorm.gamma", "LayerNorm.weight").replace("LayerNorm.beta", "LayerNorm.bias")

    def variables(self, backbone: Any) -> Iterator[tuple[str, Any]]:
        """Hugging Face's name, without prefix, and keras-hub's variable, for every weight."""
        yield "embeddings.word_embeddings.weight", backbone.token_embedding.embeddings
        yield POSITIONS, position_embedding_of(backbone).position_embeddings
        segments = segment_embedding_of(backbone)
        if segments is not None:
            yield SEGMENTS, segments.embeddings
        yield "embeddings.LayerNorm.weight", backbone.embeddings_layer_norm.gamma
        yield "embeddings.LayerNorm.bias", backbone.embeddings_layer_norm.beta
        yield from _dense(self.projection, projection_of(backbone))
        inner = getattr(backbone, "num_inner_repetitions", 1)
        for number, layer in enumerate(encoder_layers(backbone)):
            place = divmod(number, inner) if "num_groups" in self.keys else (number,)
            for part, first, second in layer_variables(layer):
                name = f"{self.layer.format(*place)}{self._part(part)}"
                yield f"{name}.weight", first
                yield f"{name}.bias", second
        yield from _dense(self.pooler, pooler_of(backbone))

    def _part(self, name: str) -> str:
        return self.parts.get(name, name)

    def _first_position(self, config: dict[str, Any]) -> int:
        """How many rows of the table of positions come before that of the first token."""
        if not self.has_padding_position:
            return 0
        pad_id = config.get("pad_token_id")
        return 2 if pad_id is None else pad_id + 1


def is_kernel(name: str) -> bool:
    """Whether a weight of `variables` is a matrix to multiply by, which torch keeps transposed."""
    return name.endswith("weight") and "norm" not in name.lower() and not name.startswith("embeddings.")


def _dense(name: str, layer: Any) -> Iterator[tuple[str, Any]]:
    if layer is not None:
        yield f"{name}.weight", layer.kernel
        yield f"{name}.bias", layer.bias
