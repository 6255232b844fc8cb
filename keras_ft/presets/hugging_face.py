"""Hugging Face folders: `config.json`, `model.safetensors` (or its shards), and a tokenizer's files."""

from pathlib import Path
from typing import Any

from keras_ft.errors import RequestError
from keras_ft.presets import gpt2_checkpoint
from keras_ft.presets.checkpoint import read_config
from keras_ft.presets.encoder_checkpoint import EncoderCheckpoint, is_kernel
from keras_ft.presets.encoder_checkpoints import ENCODER_CHECKPOINTS
from keras_ft.presets.family import BERT, FAMILIES, GPT2
from keras_ft.presets.pretrained import Pretrained, check_framing, check_vocabulary
from keras_ft.presets.safetensors_files import read_safetensors
from keras_ft.text.byte_pair import BytePairTokenizer
from keras_ft.text.load import tokenizer_of
from keras_ft.text.vocabulary import read_json


def load_hugging_face(folder: Path, name: str) -> Pretrained:
    """Load a model saved by transformers.

    Args:
        folder: holds `config.json`, `model.safetensors` and a tokenizer.
        name: how the recipe called it, for messages.

    Raises:
        RequestError: a file is missing or corrupt, the model is of no known family, or a weight has another shape.
    """
    path = folder / "config.json"
    config = read_config(path, name)
    family = config.get("model_type", BERT.name)
    if family not in FAMILIES:
        known = ", ".join(FAMILIES)
        raise RequestError(f"backbone {name}: {path} describes a {family} model; supported are {known}")
    if family == GPT2.name:
        pretrained = _load_gpt2(folder, name, config)
    else:
        pretrained = _load_encoder(folder, name, config, ENCODER_CHECKPOINTS[family])
    check_vocabulary(name, pretrained.backbone, pretrained.tokenizer)
    return pretrained


def _load_encoder(folder: Path, name: str, config: dict[str, Any], checkpoint: EncoderCheckpoint) -> Pretrained:
    config = checkpoint.complete(config, folder / "config.json", name)
    backbone = checkpoint.backbone_of(config)
    tensors, path = read_safetensors(folder, name)
    named = {checkpoint.canonical(key): tensor for key, tensor in tensors.items()}
    turned = {key: tensor.T if is_kernel(key) else tensor for key, tensor in named.items()}
    has_pooler = checkpoint.fill(backbone, turned, config, path)
    tokenizer = tokenizer_of(folder)
    check_framing(name, tokenizer)
    return Pretrained(name, backbone, checkpoint.arithmetic_of(config), tokenizer, _pooling(folder, has_pooler))


def _load_gpt2(folder: Path, name: str, config: dict[str, Any]) -> Pretrained:
    config = gpt2_checkpoint.complete(config, folder / "config.json", name)
    backbone = gpt2_checkpoint.backbone_of(config)
    tensors, path = read_safetensors(folder, name)
    named = {gpt2_checkpoint.canonical(key): tensor for key, tensor in tensors.items()}
    gpt2_checkpoint.fill(backbone, named, path)
    tokenizer = BytePairTokenizer.from_hugging_face(folder)
    return Pretrained(name, backbone, gpt2_checkpoint.arithmetic_of(config), tokenizer, pooling=None)


def _pooling(folder: Path, has_pooler: bool) -> str:
    """What a sentence-transformers checkpoint says, else BERT's own way."""
    path = folder / "1_Pooling" / "config.json"
    if path.is_file():
        return "first" if read_json(path).get("pooling_mode_cls_token") else "mean"
    return "pooler" if has_pooler else "first"
