"""Hugging Face folders: `config.json`, `model.safetensors` (or its shards), `vocab.txt` or `tokenizer.json`."""

from pathlib import Path

import numpy as np

from keras_ft.errors import RequestError
from keras_ft.presets.bert_checkpoint import arithmetic_of, backbone_of, fill, is_kernel, read_config
from keras_ft.presets.pretrained import Pretrained, check_vocabulary
from keras_ft.text.vocabulary import read_json
from keras_ft.text.wordpiece import WordPieceTokenizer

WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"


def load_hugging_face(folder: Path, name: str) -> Pretrained:
    """Load a BERT saved by transformers.

    Args:
        folder: holds `config.json`, `model.safetensors` and a tokenizer.
        name: how the recipe called it, for messages.

    Raises:
        RequestError: a file is missing or corrupt, the model is not a BERT, or a weight has another shape.
    """
    config = read_config(folder / "config.json", name)
    files = _weight_files(folder, name)
    backbone = backbone_of(config)
    tensors: dict[str, np.ndarray] = {}
    for file in files:
        tensors |= _read_weights(file)
    has_pooler = fill(backbone, tensors, files[0] if len(files) == 1 else folder / INDEX)
    tokenizer = WordPieceTokenizer.from_hugging_face(folder)
    check_vocabulary(name, backbone, tokenizer)
    return Pretrained(name, backbone, arithmetic_of(config), tokenizer, _pooling(folder, has_pooler))


def _weight_files(folder: Path, name: str) -> list[Path]:
    if (folder / WEIGHTS).is_file():
        return [folder / WEIGHTS]
    if (folder / INDEX).is_file():
        shards = read_json(folder / INDEX).get("weight_map")
        if not isinstance(shards, dict) or not shards or not all(isinstance(v, str) for v in shards.values()):
            raise RequestError(f"{folder / INDEX} has no weight_map; fetch or copy it again")
        return sorted({folder / shard for shard in shards.values()})
    raise RequestError(
        f"backbone {name}: {folder / WEIGHTS} does not exist; where there is only pytorch_model.bin, "
        "load it in transformers and call save_pretrained(FOLDER, safe_serialization=True)"
    )


def _read_weights(path: Path) -> dict[str, np.ndarray]:
    """The tensors by the names that are used today, kernels as `(inputs, outputs)`."""
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise RequestError(f"{path} does not exist; fetch or copy it again")
    try:
        with safe_open(path, framework="np") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys() if "position_ids" not in name}  # noqa: SIM118
    except (SafetensorError, ValueError, TypeError, KeyError) as error:
        raise RequestError(f"{path} is corrupt ({error}); fetch or copy it again") from None
    named = {_canonical(name): tensor.astype("float32", copy=False) for name, tensor in tensors.items()}
    return {name: tensor.T if is_kernel(name) else tensor for name, tensor in named.items()}


def _canonical(name: str) -> str:
    """The name without the prefix of task models, with layer norms named as today."""
    name = name.removeprefix("bert.")
    return name.replace("LayerNorm.gamma", "LayerNorm.weight").replace("LayerNorm.beta", "LayerNorm.bias")


def _pooling(folder: Path, has_pooler: bool) -> str:
    """What a sentence-transformers checkpoint says, else BERT's own way."""
    path = folder / "1_Pooling" / "config.json"
    if path.is_file():
        return "first" if read_json(path).get("pooling_mode_cls_token") else "mean"
    return "pooler" if has_pooler else "first"
