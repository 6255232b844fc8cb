"""A tiny GPT-2 with random weights that writes varied texts."""

import numpy as np
import pytest


@pytest.fixture(scope="session")
def backbone_and_config(tmp_path_factory):
    from keras_ft.presets import gpt2_checkpoint
    from keras_ft.presets.checkpoint import read_config
    from keras_ft.presets.safetensors_files import read_safetensors
    from tests.tiny_gpt2 import write_hugging_face_gpt2

    folder = write_hugging_face_gpt2(tmp_path_factory.mktemp("gpt2"), n_positions=256)
    path = folder / "config.json"
    config = gpt2_checkpoint.complete(read_config(path, "tiny"), path, "tiny")
    backbone = gpt2_checkpoint.backbone_of(config)
    tensors, where = read_safetensors(folder, "tiny")
    gpt2_checkpoint.fill(backbone, {gpt2_checkpoint.canonical(name): t for name, t in tensors.items()}, where)
    return backbone, gpt2_checkpoint.arithmetic_of(config)


@pytest.fixture(scope="session")
def view(backbone_and_config):
    from keras_ft.layers.gpt2_view import gpt2_view

    return gpt2_view(*backbone_and_config)


@pytest.fixture(scope="session")
def reference() -> dict:
    """What `benchmarks/generation_reference.py` stored."""
    from writing import REFERENCE

    return REFERENCE


@pytest.fixture(scope="session")
def prompts() -> list[list[int]]:
    rng = np.random.default_rng(3)
    return [rng.integers(0, 449, length).tolist() for length in (1, 7, 30, 3, 64, 12)]
