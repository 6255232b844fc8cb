import json
import shutil

import keras_hub
import numpy as np
import pytest
import tensorflow as tf
from safetensors.numpy import load_file, save_file

from keras_ft.batch import TokenBatch
from keras_ft.errors import RequestError
from keras_ft.layers.decoder import decode
from keras_ft.layers.gpt2_view import gpt2_view
from keras_ft.layers.task_model import TaskModel
from keras_ft.presets.load import load_pretrained, preset_names
from keras_ft.presets.saved_weights import save_weights
from tests.tiny import write_hugging_face
from tests.tiny_gpt2 import reference_hidden_states, write_hugging_face_gpt2

IDS = [np.arange(3, 450, 30), np.array([7]), np.arange(400, 336, -1)]  # up to all positions


def hidden_states(pretrained) -> list[np.ndarray]:
    lengths = [len(ids) for ids in IDS]
    batch = TokenBatch.from_lengths(tf.constant(np.concatenate(IDS), tf.int32), tf.constant(lengths))
    states = decode(gpt2_view(pretrained.backbone, pretrained.config), batch).numpy()
    return np.split(states, np.cumsum(lengths)[:-1])


def weights(pretrained) -> list[np.ndarray]:
    return [np.array(variable) for variable in pretrained.backbone.variables]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_hugging_face_gpt2(tmp_path_factory.mktemp("gpt2"))


@pytest.mark.filterwarnings("ignore:You are using a softmax over axis -1")  # of a text of one token
def test_a_hugging_face_folder_gives_the_hidden_states_of_the_published_model(folder):
    pretrained = load_pretrained(str(folder))
    assert pretrained.family == "gpt2"
    for ours, ids in zip(hidden_states(pretrained), IDS, strict=True):
        np.testing.assert_allclose(ours, reference_hidden_states(folder, ids), atol=2e-5)


@pytest.mark.parametrize(("prefix", "buffers"), [("", False), ("transformer.", True)])
def test_prefixes_and_buffers_make_no_difference(folder, tmp_path, prefix, buffers):
    other = load_pretrained(str(write_hugging_face_gpt2(tmp_path, prefix=prefix, buffers=buffers)))
    assert all(map(np.array_equal, weights(other), weights(load_pretrained(str(folder)))))


def test_weights_in_shards_are_those_of_one_file(folder, tmp_path):
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    tensors = load_file(tmp_path / "model.safetensors")
    (tmp_path / "model.safetensors").unlink()
    names = sorted(tensors)
    shards = {"model-00001-of-00002.safetensors": names[::2], "model-00002-of-00002.safetensors": names[1::2]}
    for file, part in shards.items():
        save_file({name: tensors[name] for name in part}, tmp_path / file)
    index = {"weight_map": {name: file for file, part in shards.items() for name in part}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    assert all(map(np.array_equal, weights(load_pretrained(str(tmp_path))), weights(load_pretrained(str(folder)))))


def test_the_checkpoints_own_sizes_and_arithmetic_are_followed(tmp_path):
    made = write_hugging_face_gpt2(tmp_path, n_inner=48, activation_function="relu", layer_norm_epsilon=1e-3)
    pretrained = load_pretrained(str(made))
    assert pretrained.backbone.intermediate_dim == 48
    assert (pretrained.config.hidden_act, pretrained.config.layer_norm_epsilon) == ("relu", 1e-3)


def change_config(**changes):
    def change(folder):
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps({**config, **changes}))

    return change


def change_tensors(change):
    def changed(folder):
        tensors = load_file(folder / "model.safetensors")
        change(tensors)
        save_file(tensors, folder / "model.safetensors")

    return changed


def transposed(tensors):
    tensors["h.0.mlp.c_fc.weight"] = np.ascontiguousarray(tensors["h.0.mlp.c_fc.weight"].T)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (change_tensors(lambda t: t.pop("h.1.attn.c_attn.bias")), "has no tensor 'h.1.attn.c_attn.bias'"),
        (change_tensors(transposed), "'h.0.mlp.c_fc.weight' is (128, 32), its config wants (32, 128)"),
        (change_config(n_layer=3), "has no tensor 'h.2.ln_1.weight'"),
        (change_config(n_embd=64), "'wte.weight' is (450, 32), its config wants (450, 64)"),
        (change_config(n_head=5), "n_embd 32, which is no multiple of n_head 5"),
        (change_config(n_layer="2"), "n_layer '2'"),
        (change_config(n_head=True), "n_head True"),
        (change_config(n_embd=None), "n_embd None"),
        (change_config(activation_function="swish7"), "activation_function 'swish7'"),
        (change_config(tie_word_embeddings=False), "tie_word_embeddings False; only True"),
        (change_config(add_cross_attention=True), "add_cross_attention True; only False"),
        (change_config(scale_attn_weights=False), "scale_attn_weights False; only True"),
        (change_config(scale_attn_by_inverse_layer_idx=True), "scale_attn_by_inverse_layer_idx True"),
        (change_config(model_type="gpt_neo"), "describes a gpt_neo model; supported are bert, gpt2"),
        (change_config(model_type="bert"), "lacks num_hidden_layers, num_attention_heads"),
        (lambda folder: (folder / "merges.txt").unlink(), "merges.txt"),
        (lambda folder: (folder / "model.safetensors").unlink(), "model.safetensors does not exist"),
        (lambda folder: (folder / "config.json").write_text('{"model_type": "gpt2"}'), "lacks vocab_size, n_layer"),
        (lambda folder: (folder / "config.json").write_text('["gpt2"]'), "should be a JSON object"),
    ],
)
def test_a_spoiled_folder_is_refused_in_one_line(folder, tmp_path, spoil, message):
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    spoil(tmp_path)
    with pytest.raises(RequestError) as error:
        load_pretrained(str(tmp_path))
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_table_smaller_than_the_vocabulary_is_refused_and_a_larger_one_read(tmp_path):
    assert (
        load_pretrained(str(write_hugging_face_gpt2(tmp_path / "padded", vocab_size=512))).backbone.vocabulary_size
        == 512
    )
    with pytest.raises(RequestError, match="450 tokens, the embedding table 440 rows"):
        load_pretrained(str(write_hugging_face_gpt2(tmp_path / "short", vocab_size=440)))


def write_keras_hub(folder, source) -> None:
    tokens = json.loads((source / "vocab.json").read_text())
    merges = (source / "merges.txt").read_text().splitlines()
    backbone = keras_hub.models.GPT2Backbone(450, 2, 4, 32, 64, max_sequence_length=64)
    backbone.save_to_preset(str(folder))
    keras_hub.models.GPT2Tokenizer(tokens, merges).save_to_preset(str(folder))


def test_a_keras_hub_preset_folder_loads_with_its_weights_and_vocabulary(folder, tmp_path):
    write_keras_hub(tmp_path, folder)
    pretrained = load_pretrained(str(tmp_path))
    assert pretrained.family == "gpt2"
    expected = keras_hub.models.Backbone.from_preset(str(tmp_path))
    assert all(map(np.array_equal, weights(pretrained), [np.array(v) for v in expected.weights]))
    texts = tf.constant(["I don't like the film. 今天天气很好"])
    ours = load_pretrained(str(folder)).tokenizer
    assert pretrained.tokenizer.tokenize(texts).to_list() == ours.tokenize(texts).to_list()
    assert pretrained.tokenizer.vocabulary.end_id == 449
    assert pretrained.config.layer_norm_epsilon == 1e-5


def test_keras_hubs_gpt2_presets_are_listed():
    assert preset_names()["gpt2_base_en"].startswith("keras-hub: ")


def write_run(folder, pretrained, num_outputs) -> None:
    """The model/ of a finished run."""
    (folder / "model").mkdir(parents=True)
    pretrained.save(folder / "model")
    save_weights(TaskModel(pretrained.backbone, pretrained.config, num_outputs), folder / "model")


@pytest.mark.parametrize("write", [write_hugging_face, write_hugging_face_gpt2])
@pytest.mark.parametrize("num_outputs", [None, 3])
def test_a_run_is_a_backbone_without_its_head(tmp_path, write, num_outputs):
    pretrained = load_pretrained(str(write(tmp_path / "checkpoint")))
    if num_outputs is None:
        pretrained = pretrained.with_added_tokens(["good" if pretrained.family == "bert" else "<user>"])
    write_run(tmp_path / "run", pretrained, num_outputs)
    again = load_pretrained(str(tmp_path / "run"))
    assert all(map(np.array_equal, weights(again), weights(pretrained)))
    assert again.name == str(tmp_path / "run")
    assert (again.config, again.pooling) == (pretrained.config, pretrained.pooling)
    assert again.tokenizer.fingerprint() == pretrained.tokenizer.fingerprint()


def test_an_unfinished_or_damaged_run_is_refused(folder, tmp_path):
    write_run(tmp_path, load_pretrained(str(folder)), None)
    with (tmp_path / "model" / "model.weights.h5").open("r+b") as file:
        file.seek(5000)
        file.write(b"damage")
    with pytest.raises(RequestError, match="is corrupt"):
        load_pretrained(str(tmp_path))
    (tmp_path / "model" / "model.weights.sha256").unlink()
    with pytest.raises(RequestError, match="the run is not finished"):
        load_pretrained(str(tmp_path))
