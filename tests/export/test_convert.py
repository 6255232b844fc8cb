"""Converted runs, read back here; `benchmarks/round_trips.py` compares them with transformers."""

import json
import os
import shutil

import keras_hub
import numpy as np
import pytest
import tensorflow as tf
from safetensors.numpy import load_file, save_file
from tokenizers import Tokenizer

from keras_ft.batch import TokenBatch
from keras_ft.errors import RequestError, WorkError
from keras_ft.export import convert as convert_module
from keras_ft.export.convert import convert
from keras_ft.layers.encoder import encode, pool
from keras_ft.layers.encoder_view import encoder_view
from keras_ft.presets.load import load_pretrained
from keras_ft.presets.saved_weights import save_weights
from keras_ft.recipe_file import load_recipe
from keras_ft.tasks.model import load_model
from keras_ft.tasks.samples import HARD_TEXTS
from keras_ft.training.train import train
from tests.tiny import write_recipe
from tests.tiny_pooled import write_pooled_recipe


@pytest.fixture(scope="module")
def pooler_run(tmp_path_factory):
    """A finished run whose pooling is BERT's own, and whose arithmetic is keras-hub's."""
    folder = tmp_path_factory.mktemp("pooler")
    recipe = write_recipe(folder, task="{name: classification, pooling: pooler}", train="{steps: 2, batch_size: 8}")
    config = json.loads((folder / "bert" / "config.json").read_text())
    (folder / "bert" / "config.json").write_text(json.dumps({**config, "hidden_act": "gelu_new"}))
    train(load_recipe(recipe), folder / "run", tell=lambda line: None)
    return folder / "run"


@pytest.fixture(scope="module")
def first_run(tmp_path_factory):
    """A finished run that pools by the first token, over a tokenizer with other options."""
    folder = tmp_path_factory.mktemp("first")
    recipe = write_recipe(folder, task="{name: classification, pooling: first}", train="{steps: 2, batch_size: 8}")
    options = {"do_lower_case": False, "strip_accents": True, "tokenize_chinese_chars": False}
    (folder / "bert" / "tokenizer_config.json").write_text(json.dumps(options))
    train(load_recipe(recipe), folder / "run", tell=lambda line: None)
    return folder / "run"


@pytest.fixture(params=["tiny_run", "first_run", "pooler_run"])
def run(request):
    return request.getfixturevalue(request.param)


def pooled(pretrained, task) -> np.ndarray:
    sequences = task.features(pretrained.tokenizer, {"text": tf.constant(HARD_TEXTS)})
    batch = TokenBatch.from_lengths(sequences.ids.flat_values, sequences.ids.row_lengths())
    view = encoder_view(pretrained.backbone, pretrained.config)
    return pool(view, batch, encode(view, batch), pretrained.pooling).numpy()


@pytest.mark.parametrize("to_format", ["keras-hub", "hugging-face"])
def test_what_is_written_is_the_same_backbone_again(run, tmp_path, to_format):
    trained = load_model(run / "model")
    convert(run, tmp_path / "out", to_format)
    again = load_pretrained(str(tmp_path / "out"))
    assert again.config == trained.pretrained.config
    assert again.pooling == trained.task.pooling
    assert again.tokenizer.fingerprint() == trained.pretrained.tokenizer.fingerprint()
    trained.pretrained.pooling = trained.task.pooling
    np.testing.assert_allclose(pooled(again, trained.task), pooled(trained.pretrained, trained.task), atol=1e-5)
    assert os.listdir(tmp_path) == ["out"]


@pytest.mark.parametrize("to_format", ["keras-hub", "hugging-face"])
def test_a_recipe_trains_on_what_is_written(first_run, tmp_path, to_format):
    convert(first_run, tmp_path / "converted", to_format)
    recipe = write_recipe(tmp_path, backbone="converted", train="{steps: 1, batch_size: 8}")
    train(load_recipe(recipe), tmp_path / "run", tell=lambda line: None)
    trained = load_model(tmp_path / "run" / "model")
    assert trained.task.pooling == "first"
    assert not trained.pretrained.tokenizer.lowercase


def test_keras_hub_reads_its_preset_without_us(run, tmp_path):
    trained = load_model(run / "model")
    convert(run, tmp_path / "preset", "keras-hub")
    (tmp_path / "preset" / "keras_ft.json").unlink()
    backbone = keras_hub.models.BertBackbone.from_preset(str(tmp_path / "preset"))
    ours = trained.pretrained.backbone
    assert np.array_equal(backbone.token_embedding.embeddings, ours.token_embedding.embeddings)
    assert backbone.dropout == 0.1
    tokenizer = keras_hub.models.BertTokenizer.from_preset(str(tmp_path / "preset"))
    assert list(tokenizer.vocabulary) == trained.pretrained.tokenizer.vocabulary.tokens
    assert tokenizer.lowercase == trained.pretrained.tokenizer.lowercase


def test_keras_hubs_classifier_gives_our_logits_where_the_arithmetic_is_its_own(pooler_run, tmp_path):
    trained = load_model(pooler_run / "model")
    done = convert(pooler_run, tmp_path / "preset", "keras-hub")
    assert len(done.notes) == 1
    assert "BertTextClassifier.from_preset reads it with its head" in done.notes[0]
    classifier = keras_hub.models.BertTextClassifier.from_preset(str(tmp_path / "preset"))
    texts = ["good film", "not good, awful", "这 电影 很 差"]
    sequences = trained.task.features(trained.pretrained.tokenizer, {"text": tf.constant(texts)})
    batch = TokenBatch.from_lengths(sequences.ids.flat_values, sequences.ids.row_lengths())
    ours = trained.task.forward(trained.model.view(), batch)["logits"].numpy()
    assert classifier.preprocessor.sequence_length == trained.task.max_length
    np.testing.assert_allclose(classifier.predict(tf.constant(texts), verbose=0), ours, atol=1e-5)


def test_what_keras_hub_cannot_hold_is_said(tiny_run, tmp_path):
    notes = convert(tiny_run, tmp_path / "preset", "keras-hub").notes
    assert any("tanh-GELU" in note and "this model gelu" in note for note in notes)


def test_a_head_that_keras_hub_has_no_like_of_is_said_to_be_absent(first_run, tmp_path):
    notes = convert(first_run, tmp_path / "preset", "keras-hub").notes
    assert any("the head is not in it" in note for note in notes)
    assert not (tmp_path / "preset" / "task.json").exists()


def test_tokenizers_give_our_ids_from_the_hugging_face_folder(run, tmp_path):
    trained = load_model(run / "model")
    convert(run, tmp_path / "out", "hugging-face")
    tokenizer = Tokenizer.from_file(str(tmp_path / "out" / "tokenizer.json"))
    tokenizer.enable_truncation(trained.task.max_length)
    ours = trained.task.features(trained.pretrained.tokenizer, {"text": tf.constant(HARD_TEXTS)})
    assert [encoding.ids for encoding in tokenizer.encode_batch(HARD_TEXTS)] == ours.ids.to_list()
    config = json.loads((tmp_path / "out" / "tokenizer_config.json").read_text())
    assert config["model_max_length"] == trained.task.max_length


def test_the_hugging_face_folder_is_bert_plain_or_brings_its_class(run, tmp_path):
    trained = load_model(run / "model")
    convert(run, tmp_path / "out", "hugging-face")
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    assert config["id2label"] == {"0": "bad", "1": "good"}
    assert config["label2id"] == {"bad": 0, "good": 1}
    plain = trained.task.pooling == "pooler"
    assert ("auto_map" in config) is not plain
    assert (tmp_path / "out" / "modeling_keras_ft.py").exists() is not plain
    assert config.get("keras_ft_pooling") == (None if plain else trained.task.pooling)
    tensors = load_file(tmp_path / "out" / "model.safetensors")
    assert np.array_equal(tensors["classifier.weight"].T, trained.model.head.kernel)
    assert all(tensor.ndim <= 2 for tensor in tensors.values())


@pytest.mark.parametrize(
    ("to_format", "file", "prefix"),
    [("hugging-face", "config.json", "keras_ft_"), ("keras-hub", "keras_ft.json", "")],
)
def test_a_temperature_and_a_threshold_are_told_and_kept(run, tmp_path, to_format, file, prefix):
    def converted(name, **changes):
        shutil.copytree(run, tmp_path / f"run-{name}")
        path = tmp_path / f"run-{name}" / "model" / "task.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
        notes = convert(tmp_path / f"run-{name}", tmp_path / name, to_format).notes
        content = json.loads((tmp_path / name / file).read_text())
        return notes, (content[f"{prefix}temperature"], content[f"{prefix}abstain_below"])

    plain, kept = converted("plain", temperature=1.0, abstain=None)
    assert kept == (1.0, None)
    notes, kept = converted("both", temperature=1.8, abstain=0.8)
    assert kept == (1.8, 0.8)
    scores, labels = (note for note in notes if note not in plain)
    assert "not divided by the temperature 1.8" in scores
    assert f"({prefix}temperature in {file})" in scores
    assert "withheld below 0.8 by keras_ft only" in labels
    assert f"({prefix}abstain_below in {file})" in labels


@pytest.mark.parametrize("to_format", ["onnx", ""])
def test_an_unknown_format_is_refused(tiny_run, tmp_path, to_format):
    with pytest.raises(RequestError, match="known: keras-hub, hugging-face"):
        convert(tiny_run, tmp_path / "out", to_format)


def test_a_folder_that_holds_something_is_left_alone(tiny_run, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(RequestError, match="is not empty"):
        convert(tiny_run, tmp_path, "keras-hub")
    with pytest.raises(RequestError, match="is a file"):
        convert(tiny_run, tmp_path / "mine.txt", "keras-hub")
    with pytest.raises(RequestError, match="give a local folder"):
        convert(tiny_run, "gs://bucket/out", "keras-hub")
    assert os.listdir(tmp_path) == ["mine.txt"]
    (tmp_path / "empty").mkdir()
    convert(tiny_run, tmp_path / "empty", "keras-hub")
    assert (tmp_path / "empty" / "config.json").is_file()


def test_an_unfinished_run_is_refused(tiny_run, tmp_path):
    shutil.copytree(tiny_run, tmp_path / "run")
    (tmp_path / "run" / "model" / "model.weights.sha256").unlink()
    with pytest.raises(RequestError, match="the run is not finished"):
        convert(tmp_path / "run", tmp_path / "out", "keras-hub")
    with pytest.raises(RequestError, match="give a run folder"):
        convert(tmp_path, tmp_path / "out", "keras-hub")
    assert not (tmp_path / "out").exists()


def test_a_vocabulary_that_keras_hub_cannot_hold_is_refused(tmp_path):
    from keras_ft.tasks.model import build_model
    from keras_ft.text.vocabulary import Vocabulary
    from keras_ft.text.wordpiece import WordPieceTokenizer

    recipe = write_recipe(tmp_path, train="{steps: 1, batch_size: 8}")
    train(load_recipe(recipe), tmp_path / "run", tell=lambda line: None)
    trained = load_model(tmp_path / "run" / "model")
    tokens = ["<mask>" if t == "[MASK]" else t for t in trained.pretrained.tokenizer.vocabulary.tokens]
    trained.pretrained.tokenizer = WordPieceTokenizer(Vocabulary(tokens, {"mask": "<mask>"}))
    trained.pretrained.save(tmp_path / "run" / "model")
    save_weights(build_model(trained.task, trained.pretrained, 0), tmp_path / "run" / "model")
    with pytest.raises(RequestError, match=r"wants \[MASK\] among the tokens"):
        convert(tmp_path / "run", tmp_path / "out", "keras-hub")
    convert(tmp_path / "run", tmp_path / "out", "hugging-face")


def test_a_folder_that_reads_back_differently_is_not_written(tiny_run, tmp_path, monkeypatch):
    write, check = convert_module.FORMATS["hugging-face"]

    def spoil(name):
        def spoiled(trained, task, folder):
            notes = write(trained, task, folder)
            tensors = load_file(folder / "model.safetensors")
            tensors[name] = tensors[name] + 1e-3
            save_file(tensors, folder / "model.safetensors")
            return notes

        return spoiled

    for name, message in (("bert.pooler.dense.bias", "pooler.dense.bias"), ("classifier.bias", "another head")):
        monkeypatch.setitem(convert_module.FORMATS, "hugging-face", (spoil(name), check))
        with pytest.raises(WorkError, match=message):
            convert(tiny_run, tmp_path / "out", "hugging-face")
    assert os.listdir(tmp_path) == []


def test_a_pair_keeps_its_segments_in_the_hugging_face_folder(tmp_path):
    recipe = write_pooled_recipe(tmp_path, "pair", epochs=1)
    train(load_recipe(recipe), tmp_path / "run", tell=lambda line: None)
    trained = load_model(tmp_path / "run" / "model")
    convert(tmp_path / "run", tmp_path / "out", "hugging-face")
    tokenizer = Tokenizer.from_file(str(tmp_path / "out" / "tokenizer.json"))
    tokenizer.enable_truncation(trained.task.max_length)
    texts = HARD_TEXTS, HARD_TEXTS[::-1]
    columns = dict(zip(("text_a", "text_b"), map(tf.constant, texts), strict=True))
    ours = trained.task.features(trained.pretrained.tokenizer, columns)
    encodings = tokenizer.encode_batch(list(zip(*texts, strict=True)))
    assert [encoding.ids for encoding in encodings] == ours.ids.to_list()
    assert [encoding.type_ids for encoding in encodings] == ours.segments.to_list()
    config = json.loads((tmp_path / "out" / "tokenizer_config.json").read_text())
    assert "token_type_ids" in config["model_input_names"]  # transformers gives no segments otherwise
