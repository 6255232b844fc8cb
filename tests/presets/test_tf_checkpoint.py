import json
import re

import numpy as np
import pytest
import tensorflow as tf
from safetensors.numpy import load_file

from keras_ft.errors import RequestError
from keras_ft.presets.load import load_pretrained
from keras_ft.presets.tf_checkpoint import is_lowercase
from keras_ft.text.vocabulary import Vocabulary
from tests.tiny import TOKENS, write_hugging_face, write_vocabulary


def tf_name(name: str) -> str:
    name = name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")
    name = re.sub(r"encoder\.layer\.(\d+)", r"encoder.layer_\1", name)
    name = re.sub(r"_embeddings\.weight$", "_embeddings", name).replace(".weight", ".kernel")
    return f"bert/{name.replace('.', '/')}"


def write_tf_checkpoint(folder, vocabulary=TOKENS):
    """The folder that BERT's own scripts would have left: the weights of a Hugging Face one, under the old names."""
    source = write_hugging_face(folder.parent / "hugging_face")
    variables = {"cls/predictions/output_bias": np.zeros(len(TOKENS), "float32"), "global_step": np.int64(7)}
    for name, tensor in load_file(source / "model.safetensors").items():
        values = tensor.T if tf_name(name).endswith("kernel") else tensor
        variables[tf_name(name)] = values
        variables[f"{tf_name(name)}/adam_m"] = np.zeros_like(values)
    folder.mkdir()
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        saved = [tf.compat.v1.Variable(values, name=name, use_resource=False) for name, values in variables.items()]
        session.run([variable.initializer for variable in saved])
        tf.compat.v1.train.Saver(saved).save(session, str(folder / "bert_model.ckpt"), write_meta_graph=False)
    config = json.loads((source / "config.json").read_text())
    wanted = [key for key in config if key not in ("model_type", "layer_norm_eps")]
    (folder / "bert_config.json").write_text(json.dumps({key: config[key] for key in wanted}))
    write_vocabulary(folder / "vocab.txt")
    if vocabulary is not TOKENS:
        (folder / "vocab.txt").write_text("".join(f"{token}\n" for token in vocabulary))
    return folder


def test_every_weight_lands_where_the_same_hugging_face_checkpoint_puts_it(tmp_path):
    ours = load_pretrained(str(write_tf_checkpoint(tmp_path / "uncased_L-2")))
    theirs = load_pretrained(str(tmp_path / "hugging_face"))
    for one, other in zip(ours.backbone.variables, theirs.backbone.variables, strict=True):
        assert np.array_equal(one, other), one.path
    assert ours.pooling == "pooler"
    assert ours.tokenizer.fingerprint() == theirs.tokenizer.fingerprint()


def test_gelu_is_the_tanh_approximation_that_the_original_code_computes(tmp_path):
    config = load_pretrained(str(write_tf_checkpoint(tmp_path / "bert"))).config
    assert (config.hidden_act, config.layer_norm_epsilon) == ("gelu_new", 1e-12)


@pytest.mark.parametrize(
    ("name", "tokens", "lowercase"),
    [
        ("uncased_L-12_H-768_A-12", ["Paris"], True),
        ("multi_cased_L-12", ["paris"], False),
        ("BERT-Base-Cased", ["paris"], False),
        ("chinese_L-12_H-768_A-12", ["北", "paris", "<S>", "[unused1]"], True),
        ("showcased", ["paris"], True),
        ("mine", ["paris", "##Ville"], False),
    ],
)
def test_casing_follows_the_folder_or_else_the_vocabulary(tmp_path, name, tokens, lowercase):
    assert is_lowercase(tmp_path / name, Vocabulary(["[UNK]", "[CLS]", "[SEP]", *tokens])) is lowercase


def without_weights(folder):
    (folder / "bert_model.ckpt.index").unlink()


def cut_weights(folder):
    data = next(folder.glob("*.data-*"))
    data.write_bytes(data.read_bytes()[:100])


def other_size(folder):
    config = json.loads((folder / "bert_config.json").read_text())
    (folder / "bert_config.json").write_text(json.dumps({**config, "num_hidden_layers": 3}))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (without_weights, "holds no checkpoint; it should hold bert_model.ckpt.index"),
        (cut_weights, "is corrupt or incomplete"),
        (other_size, "has no tensor 'encoder.layer.2"),
        (lambda folder: (folder / "vocab.txt").unlink(), "vocab.txt cannot be read"),
        (lambda folder: (folder / "bert_config.json").write_text('{"hidden_size": 8}'), "lacks vocab_size"),
        (lambda folder: (folder / "bert_config.json").unlink(), "without config.json or bert_config.json"),
    ],
)
def test_a_spoiled_checkpoint_is_refused_in_one_line(tmp_path, spoil, message):
    folder = write_tf_checkpoint(tmp_path / "bert")
    spoil(folder)
    with pytest.raises(RequestError, match=message) as error:
        load_pretrained(str(folder))
    assert "\n" not in str(error.value)
