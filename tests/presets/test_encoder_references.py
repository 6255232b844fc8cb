"""Folders of each family of encoders against the hidden states that transformers computes from them."""

import json
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from safetensors.numpy import load_file, save_file

from keras_ft.batch import TokenBatch
from keras_ft.layers.arithmetic import Arithmetic
from keras_ft.layers.encoder import encode, pool
from keras_ft.layers.encoder_view import encoder_view
from keras_ft.presets.encoder_checkpoints import ENCODER_CHECKPOINTS
from keras_ft.presets.load import load_pretrained

REFERENCES = np.load(Path(__file__).with_name("encoder_references.npz"))  # scripts/make_encoder_references.py


def write_folder(name: str, folder: Path) -> Path:
    """As transformers writes it, with a vocabulary of the same size."""
    folder.mkdir(exist_ok=True)
    start = f"{name}/weights/"
    weights = {key.removeprefix(start): REFERENCES[key] for key in REFERENCES.files if key.startswith(start)}
    save_file(weights, folder / "model.safetensors")
    (folder / "config.json").write_text(str(REFERENCES[f"{name}/config"]), "utf-8")
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *(chr(ord("a") + i) for i in range(26))]
    (folder / "vocab.txt").write_text("".join(f"{token}\n" for token in tokens), "utf-8")
    return folder


@pytest.mark.filterwarnings("ignore:You are using a softmax over axis -1")  # of a text of one token
@pytest.mark.parametrize("name", ENCODER_CHECKPOINTS)
def test_a_hugging_face_folder_gives_the_hidden_states_that_transformers_gives(tmp_path, name):
    pretrained = load_pretrained(str(write_folder(name, tmp_path)))
    assert pretrained.family == name
    ids, lengths, segments = (tf.constant(REFERENCES[key], tf.int32) for key in ("ids", "lengths", "segments"))
    batch = TokenBatch.from_lengths(ids, lengths, segments)
    view = encoder_view(pretrained.backbone, pretrained.config)
    hidden = encode(view, batch)
    np.testing.assert_allclose(hidden, REFERENCES[f"{name}/last_hidden_state"], atol=1e-5)
    assert pretrained.pooling == ("pooler" if name in ("bert", "albert") else "first")
    if pretrained.pooling == "pooler":
        pooled = pool(view, batch, hidden, "pooler")
        np.testing.assert_allclose(pooled, REFERENCES[f"{name}/pooler_output"], atol=1e-5)
    if name == "distilbert":
        assert pretrained.config == Arithmetic("gelu", 1e-12)
    else:
        assert pretrained.config == Arithmetic("gelu_new" if name == "albert" else "gelu", 1e-5)


@pytest.mark.parametrize("name", ENCODER_CHECKPOINTS)
def test_what_is_written_again_is_the_folder_that_was_read(tmp_path, name):
    folder = write_folder(name, tmp_path)
    pretrained, checkpoint = load_pretrained(str(folder)), ENCODER_CHECKPOINTS[name]
    original, written = load_file(folder / "model.safetensors"), checkpoint.tensors_of(pretrained.backbone, pad_id=1)
    if checkpoint.has_padding_position:  # the one segment has been added to the positions
        position, segment = (f"roberta.embeddings.{kind}_embeddings.weight" for kind in ("position", "token_type"))
        original[position] = np.concatenate([np.zeros((2, 16)), original[position][2:] + original[segment]])
        original[segment] = np.zeros((1, 16))
        original = {key: values for key, values in original.items() if "pooler" not in key}
    elif name == "electra":  # which has no pooler there
        written = {key: values for key, values in written.items() if "pooler" not in key}
    assert original.keys() == written.keys()
    for key, values in original.items():
        np.testing.assert_array_equal(written[key], values.astype("float32"), err_msg=key)
    config = json.loads((folder / "config.json").read_text())
    again = checkpoint.config_of(pretrained.backbone, pretrained.config, config["pad_token_id"])
    assert again == {key: config[key] for key in again}
