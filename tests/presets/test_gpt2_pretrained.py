import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_ft.errors import RequestError
from keras_ft.presets.family import GPT2, family_of, new_backbone
from keras_ft.presets.load import load_pretrained
from keras_ft.presets.pretrained import rebuild
from keras_ft.presets.resize import NOISE, resized
from keras_ft.recipe_file import load_recipe
from keras_ft.tasks.registry import check_backbone, task_class
from keras_ft.text.byte_pair import BytePairTokenizer
from keras_ft.text.wordpiece import WordPieceTokenizer
from tests.tiny import tiny_byte_pair, write_hugging_face

SMALL = {"num_layers": 2, "num_heads": 2, "hidden_dim": 16, "intermediate_dim": 32, "max_sequence_length": 48}


def scratch_options(folder, **changes) -> dict:
    tiny_byte_pair(folder)
    files = {"vocabulary": str(folder / "vocab.json"), "merges": str(folder / "merges.txt")}
    return {"family": "gpt2", **files, **SMALL, **changes}


def test_a_new_gpt2_has_the_sizes_and_the_vocabulary_that_the_recipe_says(tmp_path):
    pretrained = load_pretrained(scratch_options(tmp_path))
    assert pretrained.family == "gpt2"
    assert isinstance(pretrained.tokenizer, BytePairTokenizer)
    assert {key: getattr(pretrained.backbone, key) for key in SMALL} == SMALL
    assert pretrained.backbone.vocabulary_size == len(pretrained.tokenizer.vocabulary) == 450
    assert pretrained.config.layer_norm_epsilon == 1e-5
    assert pretrained.pooling is None


def test_a_vocabulary_without_an_end_of_text_gets_one_behind_its_last_token(tmp_path):
    options = scratch_options(tmp_path)
    tokens = json.loads((tmp_path / "vocab.json").read_text())
    del tokens["<|endoftext|>"]
    (tmp_path / "vocab.json").write_text(json.dumps(tokens))
    vocabulary = load_pretrained(options).tokenizer.vocabulary
    assert vocabulary.end_id == 449
    assert vocabulary.tokens[449] == "<|endoftext|>"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"lowercase": True}, "backbone.lowercase is an option of family bert; the family here is gpt2"),
        ({"num_layer": 2}, "did you mean 'num_layers'?"),
        ({"num_heads": 3}, "hidden_dim 16 should be a multiple of num_heads 3"),
        ({"family": "gpt3"}, "backbone.family 'gpt3' is unknown; did you mean 'gpt2'?"),
        ({"family": ["gpt2"]}, "backbone.family ['gpt2'] is unknown"),
        ({"merges": "nowhere.txt"}, "nowhere.txt cannot be read"),
        ({"merges": None}, "merges"),
        ({"family": "bert"}, "backbone.merges is an option of family gpt2; the family here is bert"),
    ],
)
def test_wrong_options_of_a_new_gpt2_are_refused_in_one_line(tmp_path, changes, message):
    with pytest.raises(RequestError) as error:
        load_pretrained(scratch_options(tmp_path, **changes))
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_missing_merges_are_named(tmp_path):
    options = scratch_options(tmp_path)
    del options["merges"]
    with pytest.raises(RequestError, match="backbone: the key 'merges' is missing"):
        load_pretrained(options)


def test_vocabulary_and_merges_lie_beside_the_recipe(tmp_path):
    tiny_byte_pair(tmp_path)
    recipe = tmp_path / "recipe.yaml"
    backbone = json.dumps({"family": "gpt2", "vocabulary": "vocab.json", "merges": "merges.txt", **SMALL})
    recipe.write_text(f"task: classification\nbackbone: {backbone}\ndata: {{train: train.jsonl}}\n")
    pretrained = load_pretrained(load_recipe(recipe).backbone)
    with pytest.raises(
        RequestError, match="^task classification needs a bert, .* or electra backbone; from scratch is a gpt2$"
    ):
        check_backbone(task_class("classification"), pretrained)


def test_what_is_saved_is_rebuilt(tmp_path):
    pretrained = load_pretrained(scratch_options(tmp_path)).with_added_tokens(["<a>"])
    pretrained.save(tmp_path / "model")
    again = rebuild(tmp_path / "model")
    assert (again.family, again.name, again.config, again.pooling) == ("gpt2", "from scratch", pretrained.config, None)
    assert again.tokenizer.fingerprint() == pretrained.tokenizer.fingerprint()
    assert [v.shape for v in again.backbone.variables] == [v.shape for v in pretrained.backbone.variables]


@pytest.mark.parametrize("family", ["gpt3", None])
def test_a_description_of_no_known_family_is_refused(tmp_path, family):
    load_pretrained(scratch_options(tmp_path)).save(tmp_path / "model")
    path = tmp_path / "model" / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "family": family}))
    with pytest.raises(RequestError, match="not a model description"):
        rebuild(tmp_path / "model")


def test_added_tokens_get_rows_near_the_mean_and_all_else_is_copied(tmp_path):
    pretrained = load_pretrained(scratch_options(tmp_path))
    more = pretrained.with_added_tokens(["<user>", "<bot>", "<user>"], seed=1)
    assert more.tokenizer.vocabulary.tokens[450:] == ["<user>", "<bot>"]
    before, after = (np.array(p.backbone.token_embedding.embeddings) for p in (pretrained, more))
    assert after.shape == (452, 16)
    assert np.array_equal(after[:450], before)
    off = (after[450:] - before.mean(axis=0)) / before.std(axis=0)
    assert np.abs(off).max() < 4 * NOISE
    assert np.abs(off[0] - off[1]).max() > NOISE / 10
    for old, new in zip(pretrained.backbone.variables, more.backbone.variables, strict=True):
        assert old.path == new.path
        assert "token_embedding" in old.path or np.array_equal(old, new), old.path
    assert np.array_equal(
        after, pretrained.with_added_tokens(["<user>", "<bot>"], seed=1).backbone.token_embedding.embeddings
    )
    assert not np.array_equal(
        after, pretrained.with_added_tokens(["<user>", "<bot>"], seed=2).backbone.token_embedding.embeddings
    )


def test_known_tokens_change_nothing(tmp_path):
    pretrained = load_pretrained(scratch_options(tmp_path))
    assert pretrained.with_added_tokens(["<|endoftext|>"]) is pretrained
    assert pretrained.with_added_tokens([]) is pretrained


def test_a_padded_table_keeps_its_size_while_new_tokens_fit():
    keras.utils.set_random_seed(0)
    backbone = new_backbone(GPT2, {**SMALL, "vocabulary_size": 64})
    table = np.array(backbone.token_embedding.embeddings)
    fits = np.array(resized(backbone, GPT2, 60, 62, seed=0).token_embedding.embeddings)
    assert fits.shape == (64, 16)
    assert np.array_equal(fits[:60], table[:60])
    assert np.array_equal(fits[62:], table[62:])
    assert not np.array_equal(fits[60:62], table[60:62])
    assert resized(backbone, GPT2, 60, 70, seed=0).vocabulary_size == 70


def test_a_berts_tokenizer_takes_no_added_tokens(tmp_path):
    pretrained = load_pretrained(str(write_hugging_face(tmp_path)))
    assert family_of(pretrained.backbone).name == "bert"
    assert isinstance(pretrained.tokenizer, WordPieceTokenizer)
    assert pretrained.with_added_tokens(["good"]) is pretrained
    with pytest.raises(RequestError, match="gpt2 only"):
        pretrained.with_added_tokens(["<user>"])


def test_added_tokens_can_be_written_back(tmp_path):
    more = load_pretrained(scratch_options(tmp_path)).with_added_tokens(["<user>"])
    ids = more.tokenizer.tokenize(tf.constant(["你好 <user>"]))
    assert more.tokenizer.detokenize(ids).numpy()[0].decode() == "你好 <user>"
