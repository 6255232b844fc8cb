import json
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from keras_ft.batch import TokenBatch
from keras_ft.errors import RequestError
from keras_ft.layers.encoder import encode
from keras_ft.layers.encoder_view import encoder_view
from keras_ft.presets.load import load_pretrained
from keras_ft.text.assemble import single
from tests.tiny import TOKENS, write_hugging_face

REFERENCE = Path(__file__).with_name("minilm_reference.npz")


def last_hidden_states(pretrained, texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
    tokenizer = pretrained.tokenizer
    sequences = single(tokenizer.tokenize(tf.constant(texts)), tokenizer.vocabulary, 64)
    batch = TokenBatch.from_lengths(sequences.ids.flat_values, sequences.ids.row_lengths())
    return batch.ids.numpy(), encode(encoder_view(pretrained.backbone, pretrained.config), batch).numpy()


@pytest.mark.slow
def test_minilm_gives_the_hidden_states_that_torch_gives():
    reference = np.load(REFERENCE)
    pretrained = load_pretrained("minilm_l6_en_uncased")
    ids, hidden = last_hidden_states(pretrained, reference["texts"].tolist())
    assert ids.tolist() == reference["ids"].tolist()
    np.testing.assert_allclose(hidden, reference["last_hidden_state"], atol=1e-4)
    assert pretrained.pooling == "mean"
    assert pretrained.config.hidden_act == "gelu"


@pytest.mark.parametrize("prefix", ["", "bert."])
def test_a_checkpoint_loads_with_and_without_the_prefix_of_task_models(tmp_path, prefix):
    plain = load_pretrained(str(write_hugging_face(tmp_path / "plain")))
    prefixed = load_pretrained(str(write_hugging_face(tmp_path / "prefixed", prefix=prefix)))
    _, one = last_hidden_states(plain, ["good film"])
    _, other = last_hidden_states(prefixed, ["good film"])
    assert np.array_equal(one, other)


def test_torch_kernels_are_transposed():
    """A kernel read untransposed would still have the right shape where it is square."""
    import tempfile

    from safetensors.numpy import load_file

    from keras_ft.layers.transformer_layer import layer_variables

    with tempfile.TemporaryDirectory() as folder:
        pretrained = load_pretrained(str(write_hugging_face(Path(folder))))
        tensors = load_file(Path(folder) / "model.safetensors")
    kernels = {name: np.array(kernel) for name, kernel, _ in layer_variables(pretrained.backbone.transformer_layers[1])}
    for name in ("attention.self.query", "attention.output.dense", "intermediate.dense"):
        expected = tensors[f"encoder.layer.1.{name}.weight"].T
        assert np.array_equal(kernels[name].reshape(expected.shape), expected)


def test_the_checkpoints_arithmetic_and_casing_are_followed(tmp_path):
    folder = write_hugging_face(tmp_path, hidden_act="relu", layer_norm_eps=1e-5)
    (folder / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": False}))
    pretrained = load_pretrained(str(folder))
    assert pretrained.config.hidden_act == "relu"
    assert pretrained.config.layer_norm_epsilon == 1e-5
    upper = pretrained.tokenizer.tokenize(tf.constant(["GOOD"])).to_list()
    assert upper == [[TOKENS.index("[UNK]")]]


def test_pooling_follows_what_the_checkpoint_was_made_for(tmp_path):
    assert load_pretrained(str(write_hugging_face(tmp_path / "bert"))).pooling == "pooler"
    assert load_pretrained(str(write_hugging_face(tmp_path / "no_pooler", pooler=False))).pooling == "first"
    folder = write_hugging_face(tmp_path / "sentences")
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text('{"pooling_mode_mean_tokens": true}')
    assert load_pretrained(str(folder)).pooling == "mean"


def shard(folder) -> None:
    """Split the weights into two files with an index, as transformers does with large models."""
    from safetensors.numpy import load_file, save_file

    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    names = sorted(tensors)
    shards = {"model-00001-of-00002.safetensors": names[::2], "model-00002-of-00002.safetensors": names[1::2]}
    for file, part in shards.items():
        save_file({name: tensors[name] for name in part}, folder / file)
    index = {"metadata": {}, "weight_map": {name: file for file, part in shards.items() for name in part}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


def test_weights_in_shards_are_those_of_one_file(tmp_path):
    whole = load_pretrained(str(write_hugging_face(tmp_path / "whole")))
    folder = write_hugging_face(tmp_path / "shards")
    shard(folder)
    parts = load_pretrained(str(folder))
    for one, other in zip(whole.backbone.variables, parts.backbone.variables, strict=True):
        assert np.array_equal(one, other), one.path


def lost_shard(folder):
    shard(folder)
    (folder / "model-00002-of-00002.safetensors").unlink()


def index_of_nothing(folder):
    shard(folder)
    (folder / "model.safetensors.index.json").write_text("{}")


def truncate(folder):
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])


def garbage(folder):
    (folder / "model.safetensors").write_bytes(b"version https://git-lfs.github.com/spec/v1\n" * 9)


def missing_tensor(folder):
    from safetensors.numpy import load_file, save_file

    tensors = load_file(folder / "model.safetensors")
    del tensors["encoder.layer.1.output.dense.bias"]
    save_file(tensors, folder / "model.safetensors")


def change_config(**changes):
    def change(folder):
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps({**config, **changes}))

    return change


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (truncate, "model.safetensors is corrupt"),
        (garbage, "model.safetensors is corrupt"),
        (lost_shard, "model-00002-of-00002.safetensors does not exist"),
        (index_of_nothing, "has no weight_map"),
        (change_config(num_hidden_layers="2"), "num_hidden_layers '2'"),
        (missing_tensor, "has no tensor 'encoder.layer.1.output.dense.bias'"),
        (lambda folder: (folder / "model.safetensors").unlink(), "model.safetensors does not exist"),
        (lambda folder: (folder / "vocab.txt").unlink(), "vocab.txt"),
        (change_config(hidden_size=64), "is (111, 32), its config wants (111, 64)"),
        (change_config(hidden_act="swish7"), "hidden_act 'swish7'"),
        (change_config(model_type="llama"), "describes a llama model; supported are bert, gpt2"),
        (change_config(position_embedding_type="relative_key"), "relative_key positions"),
        (lambda folder: (folder / "config.json").write_text("{"), "cannot read"),
    ],
)
def test_a_spoiled_folder_is_refused_in_one_line(tmp_path, spoil, message):
    folder = write_hugging_face(tmp_path)
    spoil(folder)
    with pytest.raises(RequestError) as error:
        load_pretrained(str(folder))
    assert message.replace("111", str(len(TOKENS))) in str(error.value)
    assert "\n" not in str(error.value)


def test_a_vocabulary_larger_than_the_embedding_table_is_refused(tmp_path):
    folder = write_hugging_face(tmp_path)
    with (folder / "vocab.txt").open("a") as file:
        file.write("extra\n")
    with pytest.raises(RequestError, match="embedding table"):
        load_pretrained(str(folder))
