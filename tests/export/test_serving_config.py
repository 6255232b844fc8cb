"""`keras-ft export --serving-config`: the files of a deployment, for one model and for a second beside it."""

import json
import re
from pathlib import Path

import pytest
from google.protobuf import text_format
from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

from keras_ft.errors import RequestError, WorkError
from keras_ft.export.batch_limits import BatchLimits
from keras_ft.export.serving_config import BATCHING_CONFIG, MODELS_CONFIG, deployment, serving_config, with_model
from keras_ft.export.verify import Verification
from keras_ft.recipe_file import load_recipe
from tests.tiny import write_recipe

ROOT = Path(__file__).resolve().parents[2]
SHORT, LONG = BatchLimits(32, "bfloat16"), BatchLimits(512, "float32")


@pytest.fixture
def run(tmp_path):
    """Of a run folder, the recipe: what is written looks at nothing else."""
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "recipe.yaml").write_text(load_recipe(write_recipe(tmp_path / "data"), []).to_yaml(), encoding="utf-8")
    return str(folder)


def write(folder, to, limits):
    for name, text in deployment(folder, to, limits).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")


def served(folder):
    config = text_format.Parse((folder / MODELS_CONFIG).read_text(encoding="utf-8"), ModelServerConfig())
    return {model.name: model.base_path for model in config.model_config_list.config}


def batch_rows(folder):
    text = (folder / BATCHING_CONFIG).read_text(encoding="utf-8")
    return int(re.search(r"^max_execution_batch_size { value: (\d+) }$", text, re.MULTILINE)[1])


def test_the_folder_in_the_repository_is_that_of_the_quickstart(monkeypatch):
    monkeypatch.chdir(ROOT)
    recipe = load_recipe(ROOT / "pipelines" / "intent" / "recipe.yaml", [])
    wanted = deployment(Path("nowhere"), "models/intent", BatchLimits.of_recipe(recipe, "float32"))
    found = {path.relative_to("serving").as_posix(): path for path in Path("serving").rglob("*") if path.is_file()}
    assert found.keys() == wanted.keys()
    for name, path in found.items():
        assert path.read_text(encoding="utf-8") == wanted[name], name


def test_texts_of_any_length_get_a_batch_that_the_file_explains():
    rows = [BatchLimits(length, "float32").rows for length in (3, 32, 64, 100, 128, 200, 512, 5000)]
    assert rows == [64, 64, 64, 40, 32, 16, 8, 1]
    assert BatchLimits(128, "bfloat16").rows == 48
    assert BatchLimits(128, "float32", writes=True).rows == 8


@pytest.mark.parametrize("limits", [SHORT, LONG, BatchLimits(1024, "float32", writes=True)])
def test_the_batching_file_says_what_it_was_fitted_to(limits, tmp_path):
    files = deployment(tmp_path, "models/a", limits)
    assert BatchLimits.read(files[BATCHING_CONFIG]) == limits
    assert not any("@{" in text for text in files.values())


def test_a_second_model_joins_the_first_and_the_longer_texts_set_the_batch(tmp_path):
    folder = tmp_path / "serving"
    write(folder, tmp_path / "models" / "mood", SHORT)
    assert batch_rows(folder) == 64
    write(folder, tmp_path / "models" / "topic", LONG)
    assert served(folder) == {"mood": "/models/mood", "topic": "/models/topic"}
    assert batch_rows(folder) == 8
    assert BatchLimits.read((folder / BATCHING_CONFIG).read_text()) == LONG
    write(folder, tmp_path / "models" / "mood", SHORT)  # a new version of the first
    assert batch_rows(folder) == 8
    assert served(folder).keys() == {"mood", "topic"}


def test_labels_and_policies_of_other_models_are_kept(tmp_path):
    path = tmp_path / "models.config"
    path.write_text(
        'model_config_list { config { name: "mood" base_path: "/models/mood" model_platform: "tensorflow"'
        ' model_version_policy { specific { versions: [1, 2] } } version_labels { key: "stable" value: 1 } } }'
    )
    assert with_model(path, "models/mood") == path.read_text()
    config = text_format.Parse(with_model(path, "models/topic"), ModelServerConfig())
    first, second = config.model_config_list.config
    assert list(first.model_version_policy.specific.versions) == [1, 2]
    assert dict(first.version_labels) == {"stable": 1}
    assert second.base_path == "/models/topic"


def test_a_model_in_a_store_is_served_from_there(tmp_path):
    files = deployment(tmp_path, "gs://bucket/models/mood/", SHORT)
    assert 'base_path: "gs://bucket/models/mood"' in files[MODELS_CONFIG]
    assert "${MODELS:-./models}" in files["compose.yaml"]


def changed_limit(folder):
    path = folder / "compose.yaml"
    path.write_text(path.read_text().replace("memory: 4g", "memory: 8g"))


def other_base_path(folder):
    path = folder / MODELS_CONFIG
    path.write_text(path.read_text().replace("/models/mood", "/elsewhere/mood"))


def no_proto(folder):
    (folder / MODELS_CONFIG).write_text("models: [mood]\n")


def custom(folder):
    (folder / MODELS_CONFIG).write_text("custom_model_config {}\n")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (changed_limit, r"compose.yaml is not what would be written; move it away, or give another --serving-config$"),
        (other_base_path, r"models.config has mood at /elsewhere/mood, not /models/mood; give another name"),
        (no_proto, r"models.config:1:.*it should be a ModelServerConfig in text format$"),
        (custom, r"models.config has a custom_model_config"),
    ],
)
def test_what_somebody_changed_is_not_written_over(change, message, tmp_path):
    write(tmp_path, "models/mood", SHORT)
    change(tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(RequestError, match=message):
        deployment(tmp_path, "models/mood", SHORT)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_files_are_written_after_an_export_that_verified_and_not_after_one_that_failed(run, tmp_path):
    folder, told = tmp_path / "serving", []
    with pytest.raises(WorkError), serving_config(str(folder), run, "models/mood", "float32"):
        raise WorkError("does not verify")
    assert not folder.exists()
    with serving_config(str(folder), run, "models/mood", "float32", told.append):
        assert not folder.exists()
    assert served(folder) == {"mood": "/models/mood"}
    assert told == [f"{folder} holds what a deployment needs: docker compose --file {folder}/compose.yaml up --detach"]
    with serving_config(None, "no run", "models/mood", "float32"):
        pass


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("gs://bucket/serving", "RUN", "models/mood", "float32"),
            "--serving-config gs://bucket/serving should be a local",
        ),
        (("serving", "RUN", "models/mood", "float8"), "--dtype float8 is unknown"),
        (("serving", "nowhere", "models/mood", "float32"), "nowhere is not a run folder"),
    ],
)
def test_a_wrong_request_is_refused_before_the_export(arguments, message, run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder, of, *rest = arguments
    with pytest.raises(RequestError, match=message), serving_config(folder, run if of == "RUN" else of, *rest):
        pytest.fail("exported")


def test_the_command_writes_the_folder_beside_the_export(run, tmp_path, monkeypatch, capsys):
    from keras_ft.cli import main

    found = Verification(
        examples=1, largest_difference=0.0, dtype="float32", megabytes=1.0, milliseconds={}, warnings=[]
    )
    monkeypatch.setattr("keras_ft.export.joined.export_runs", lambda run, others, to, *rest: (f"{to}/1", found))
    command = ["keras-ft", "export", run, "--to", f"{tmp_path}/models/mood", "--serving-config", f"{tmp_path}/deploy"]
    monkeypatch.setattr("sys.argv", [*command, "--json"])
    with pytest.raises(SystemExit, match="0"):
        main()
    printed = capsys.readouterr()
    assert json.loads(printed.out)["version"] == f"{tmp_path}/models/mood/1"
    assert printed.err.endswith("compose.yaml up --detach\n")
    assert served(tmp_path / "deploy") == {"mood": "/models/mood"}
    assert "${MODELS:-../models}" in (tmp_path / "deploy" / "compose.yaml").read_text()
