from pathlib import Path

import pytest

from keras_ft.errors import RequestError
from keras_ft.recipe import Recipe
from keras_ft.recipe_file import load_recipe

MINIMAL = "task: classification\nbackbone: minilm_l6_en_uncased\ndata:\n  train: train.jsonl\n"


def load(folder: Path, text: str, *overrides: str) -> Recipe:
    path = folder / "recipe.yaml"
    path.write_text(text, encoding="utf-8")
    return load_recipe(path, list(overrides))


def test_defaults_are_those_of_the_interface(tmp_path):
    recipe = load(tmp_path, MINIMAL)
    assert recipe.train.epochs == 3
    assert recipe.train.batch_size == 32
    assert recipe.train.learning_rate == 5e-5
    assert recipe.data.validation == 0.1
    assert recipe.train.evaluate_every.unit == "epochs"
    assert recipe.train.checkpoint.every.amount == 300


def test_paths_start_at_the_recipes_folder_and_preset_names_stay(tmp_path):
    (tmp_path / "bert").mkdir()
    recipe = load(tmp_path, MINIMAL.replace("minilm_l6_en_uncased", "bert"))
    assert recipe.data.train == [str(tmp_path / "train.jsonl")]
    assert recipe.backbone == str(tmp_path / "bert")
    assert load(tmp_path, MINIMAL).backbone == "minilm_l6_en_uncased"
    scratch = load(tmp_path, MINIMAL.replace("minilm_l6_en_uncased", "{family: bert, vocabulary: v.txt}"))
    assert scratch.backbone["vocabulary"] == str(tmp_path / "v.txt")


def test_the_resolved_recipe_reads_back_as_itself(tmp_path):
    recipe = load(tmp_path, MINIMAL + "train: {evaluate_every: 500 steps, checkpoint: {every: 2 min}}\n")
    assert load(tmp_path, recipe.to_yaml()) == recipe


def test_a_mesh_reads_back_as_itself(tmp_path):
    recipe = load(tmp_path, MINIMAL, "runtime.engine=jax", "runtime.strategy={data: 4, model: 2}")
    assert recipe.runtime.strategy == {"data": 4, "model": 2}
    assert load(tmp_path, recipe.to_yaml()) == recipe


def test_exponents_without_a_point_are_numbers(tmp_path):
    assert load(tmp_path, MINIMAL + "train: {learning_rate: 2e-4}\n").train.learning_rate == 2e-4


def test_set_overrides_and_makes_missing_sections(tmp_path):
    recipe = load(tmp_path, MINIMAL, "train.epochs=1", "train.early_stopping.metric=accuracy", "task.pooling=first")
    assert recipe.train.epochs == 1
    assert recipe.train.early_stopping.metric == "accuracy"
    assert recipe.task.options == {"pooling": "first"}
    assert recipe.task.name == "classification"


@pytest.mark.parametrize(
    ("addition", "messages"),
    [
        ("trian: {epochs: 1}\n", ["line 5", "unknown key 'trian'", "did you mean 'train'"]),
        ("train: {batchsize: 1}\n", ["line 5", "did you mean 'batch_size'"]),
        ("train:\n  epochs: many\n", ["line 6", "train.epochs", "integer", "'many'"]),
        ("train: {learning_rate: fast}\n", ["train.learning_rate", "number"]),
        ("train: {epochs: -1}\n", ["train.epochs", "greater than 0"]),
        ("train: {schedule: cosin}\n", ["train.schedule", "'cosine'"]),
        ("train: {layer_decay: 2}\n", ["train.layer_decay", "less than or equal to 1"]),
        ("train: {ema: 1}\n", ["train.ema", "less than 1"]),
        ("train: {precision: int8}\n", ["train.precision", "'bfloat16'"]),
        ("train: {epochs: 1, steps: 5}\n", ["either 'epochs' or 'steps'"]),
        ("train: {batch_size: 8, tokens_per_batch: 500}\n", ["either 'batch_size' or 'tokens_per_batch'"]),
        ("train: {evaluate_every: often}\n", ["train.evaluate_every", "500 steps"]),
        ("train: {evaluate_every: 5 min}\n", ["epochs or steps"]),
        ("train: {early_stopping: {patience: 2, metrics: f1}}\n", ["did you mean 'metric'"]),
        ("runtime: {engine: torch}\n", ["runtime.engine", "tensorflow"]),
        ("runtime: {strategy: mirored}\n", ["line 5", "runtime.strategy: should", "mirrored", "'mirored'"]),
        ("runtime: {strategy: {data: 2}}\n", ["line 5", "runtime", "engine: jax"]),
        ("runtime: {engine: jax, strategy: {data: 2, models: 2}}\n", ["runtime.strategy", "{data: 4, model: 2}"]),
        ("runtime: {engine: jax, strategy: {data: 0}}\n", ["runtime.strategy", "'data'", "not 0"]),
        ("runtime: {engine: jax, strategy: {}}\n", ["runtime.strategy", "{data: 4, model: 2}"]),
        ("runtime: {engine: jax, strategy: 4}\n", ["runtime.strategy", "{data: 4, model: 2}"]),
        ("runtime: {engine: jax, strategy: mirrored}\n", ["'strategy: mirrored'", "engine: tensorflow", "auto, one"]),
        ("runtime: {engine: jax, strategy: tpu}\n", ["'strategy: tpu'", "engine: tensorflow"]),
        ("runtime: {engine: jax, layout: ragged}\n", ["layout: ragged", "engine: tensorflow"]),
        ("train: [1]\n", ["train", "[1]"]),
        ("  maxlength: 3\n", ["did you mean 'max_length'"]),
    ],
)
def test_a_wrong_recipe_gets_one_line_that_says_where_and_what(tmp_path, addition, messages):
    with pytest.raises(RequestError) as error:
        load(tmp_path, MINIMAL + addition)
    for message in messages:
        assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("- a\n- b\n", "should be a YAML mapping"),
        ("task: [\n", "not valid YAML"),
        ("backbone: x\ndata: {train: y}\n", "'task' is missing"),
        ("task: classification\nbackbone: x\ndata: {}\n", "'data.train' is missing"),
    ],
)
def test_what_is_no_recipe_is_said_to_be_none(tmp_path, text, message):
    with pytest.raises(RequestError, match=message):
        load(tmp_path, text)


def test_a_missing_recipe_a_folder_and_bytes_that_are_not_utf8(tmp_path):
    (tmp_path / "latin.yaml").write_bytes("task: é".encode("latin-1"))
    for path in (tmp_path / "none.yaml", tmp_path, tmp_path / "latin.yaml"):
        with pytest.raises(RequestError) as error:
            load_recipe(path)
        assert str(path) in str(error.value)


@pytest.mark.parametrize("override", ["train.epochs", "train.epochs=[", "train.epoch=1"])
def test_a_wrong_override_is_refused(tmp_path, override):
    with pytest.raises(RequestError, match="epoch"):
        load(tmp_path, MINIMAL, override)


def test_a_link_keeps_its_name_for_its_suffix_says_how_it_is_read(tmp_path):
    (tmp_path / "blobs").mkdir()
    (tmp_path / "blobs" / "abcdef").write_text("{}")
    (tmp_path / "train.jsonl").symlink_to(tmp_path / "blobs" / "abcdef")
    path = tmp_path / "recipe.yaml"
    path.write_text("task: classification\nbackbone: x\ndata: {train: train.jsonl}\n")
    assert load_recipe(path).data.train == [str(tmp_path / "train.jsonl")]


def test_a_folder_whose_name_looks_like_a_pattern_can_hold_patterns(tmp_path):
    from keras_ft.data.readers import find_sources

    folder = tmp_path / "[2024] data"
    folder.mkdir()
    (folder / "p-1.jsonl").write_text("{}")
    (folder / "recipe.yaml").write_text("task: classification\nbackbone: x\ndata: {train: p-*.jsonl}\n")
    names = load_recipe(folder / "recipe.yaml").data.train
    assert [source.name for source in find_sources(names)] == ["p-1.jsonl"]


def test_a_date_that_is_none_is_no_traceback(tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text("task: 2024-13-45\n")
    with pytest.raises(RequestError, match="is not valid YAML"):
        load_recipe(path)
