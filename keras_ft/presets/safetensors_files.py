"""`model.safetensors`, or its shards."""

from pathlib import Path

from keras_ft.errors import RequestError
from keras_ft.presets.checkpoint import Tensors
from keras_ft.text.vocabulary import read_json

WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
BUFFERS = ("position_ids", ".attn.bias", ".attn.masked_bias")  # constants that older checkpoints hold


def read_safetensors(folder: Path, name: str) -> tuple[Tensors, Path]:
    """All tensors of a folder in float32, and the file to name in messages.

    Args:
        folder: holds `model.safetensors`, or its shards and their index.
        name: how the recipe called it, for messages.

    Raises:
        RequestError: a file is missing or corrupt.
    """
    files = _files(folder, name)
    tensors: Tensors = {}
    for file in files:
        tensors |= _read(file)
    return tensors, files[0] if len(files) == 1 else folder / INDEX


def _files(folder: Path, name: str) -> list[Path]:
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


def _read(path: Path) -> Tensors:
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise RequestError(f"{path} does not exist; fetch or copy it again")
    try:
        with safe_open(path, framework="np") as file:
            names = [name for name in file.keys() if not name.endswith(BUFFERS)]  # noqa: SIM118
            return {name: file.get_tensor(name).astype("float32", copy=False) for name in names}
    except (SafetensorError, ValueError, TypeError, KeyError) as error:
        raise RequestError(f"{path} is corrupt ({error}); fetch or copy it again") from None
