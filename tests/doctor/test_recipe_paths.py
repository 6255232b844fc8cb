import pytest

from keras_ft.doctor.recipe_paths import recipe_paths
from tests.tiny import sentiment_rows, write_jsonl, write_recipe


def test_a_recipe_that_is_right_is_ok_throughout(tmp_path):
    found = list(recipe_paths(write_recipe(tmp_path), str(tmp_path / "run")))
    assert {finding.state for finding in found} == {"ok"}
    assert len(found) == 6
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("changes", "state", "what", "advice"),
    [
        ({"train": "{epoch: 3}"}, "bad", "unknown key 'train.epoch'", "did you mean 'epochs'?"),
        ({"task": "{name: classification, poling: mean}"}, "bad", "unknown key 'poling'", "did you mean 'pooling'?"),
        ({"task": "classfication"}, "bad", "unknown task", "did you mean 'classification'?"),
        ({"data": "{train: trian.jsonl, max_length: 32}"}, "bad", "no such file", "did you mean 'train.jsonl'?"),
        (
            {"data": "{train: other.jsonl, max_length: 32}"},
            "bad",
            "other.jsonl line 1 has no column 'label'",
            "{label: THE_COLUMN}",
        ),
        ({"data": "{train: empty.jsonl, max_length: 32}"}, "bad", "empty.jsonl holds no records", "at least one"),
        ({"data": "{train: train.jsonl, max_length: 65}"}, "bad", "the backbone has 64 positions", "set it to 64"),
        ({"data": "{train: 'tfds:glue/sst2', max_length: 32}"}, "note", "tfds:glue/sst2 is not a local file", ""),
        ({"backbone": "brt"}, "bad", "neither a folder nor a known preset", "keras-ft presets"),
        ({"backbone": "bert_base_zhh"}, "bad", "neither a folder nor a known preset", "did you mean 'bert_base_zh'?"),
        ({"backbone": "bert_base_zh"}, "note", "is downloaded when it is first used", "give a folder"),
        ({"backbone": "hf://google/bert"}, "note", "is downloaded when it is first used", "give a folder"),
        ({"backbone": "{vocabulary: nowhere.txt}"}, "bad", "nowhere.txt", ""),
        ({"backbone": "{vocabulary: bert/vocab.txt, heads: 2}"}, "bad", "unknown key 'heads'", "num_heads"),
    ],
)
def test_what_would_stop_a_training_is_found_before_it(tmp_path, changes, state, what, advice):
    recipe = write_recipe(tmp_path, **changes)
    write_jsonl(tmp_path / "other.jsonl", [{"text": "good"}])
    (tmp_path / "empty.jsonl").touch()
    found = [finding for finding in recipe_paths(recipe, None) if finding.state != "ok"]
    assert [finding.state for finding in found] == [state]
    assert what in found[0].what
    assert advice in found[0].advice


def test_a_preset_that_is_not_in_the_cache_is_not_fetched(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_FT_CACHE", str(tmp_path / "cache"))
    found = list(recipe_paths(write_recipe(tmp_path, backbone="minilm_l6_en_uncased"), None))
    assert [f.what for f in found if f.state == "note"] == [
        "backbone minilm_l6_en_uncased is fetched from the package index when it is first used"
    ]
    assert not (tmp_path / "cache").exists()


def test_a_corrupt_backbone_is_bad(tmp_path):
    recipe = write_recipe(tmp_path)
    (tmp_path / "bert" / "model.safetensors").write_bytes(b"x" * 99)
    assert "model.safetensors is corrupt" in next(f.what for f in recipe_paths(recipe, None) if f.state == "bad")


@pytest.mark.parametrize("where", ["run/thesis.txt", "run"])
def test_a_run_folder_that_holds_something_else_is_bad(tmp_path, where):
    recipe = write_recipe(tmp_path)
    write_jsonl(tmp_path / where, sentiment_rows(1))
    last = list(recipe_paths(recipe, str(tmp_path / "run")))[-1]
    assert last.state == "bad"
    assert "give" in last.advice


def test_a_run_folder_that_cannot_be_made_is_bad(tmp_path):
    last = list(recipe_paths(write_recipe(tmp_path), str(tmp_path / "bert" / "vocab.txt" / "run")))[-1]
    assert last.state == "bad"


def test_patterns_are_opened_file_by_file_and_stores_are_left_alone(tmp_path):
    recipe = write_recipe(tmp_path, data='{train: "part-*.jsonl", max_length: 32}')
    write_jsonl(tmp_path / "part-1.jsonl", sentiment_rows(1))
    write_jsonl(tmp_path / "part-2.jsonl", [{"body": "good", "label": "good"}])
    found = list(recipe_paths(recipe, "gs://bucket/run"))
    whats = [finding.what for finding in found if finding.state != "ok"]
    assert whats[0].startswith("part-2.jsonl line 1 has no column 'text'")
    assert whats[1] == "--out gs://bucket/run is in an object store, and was not tried"
