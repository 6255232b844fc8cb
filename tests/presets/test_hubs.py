"""No hub can be reached here: local caches as the clients lay them out, and fakes of the clients."""

import shutil
from pathlib import Path

import huggingface_hub
import kagglehub
import keras_hub
import numpy as np
import pytest
import requests
from huggingface_hub import constants, errors
from kagglehub.exceptions import KaggleApiHTTPError, UnauthenticatedError

from keras_ft.errors import RequestError, WorkError
from keras_ft.presets.hubs import fetch_kaggle
from keras_ft.presets.load import cached_presets, load_pretrained
from tests.tiny import TOKENS, write_hugging_face

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def word_embeddings(pretrained) -> np.ndarray:
    return np.array(pretrained.backbone.token_embedding.embeddings)


def write_keras_hub(folder: Path) -> Path:
    folder.mkdir(parents=True)
    backbone = keras_hub.models.BertBackbone(len(TOKENS), 1, 2, 16, 32, max_sequence_length=24)
    backbone.save_to_preset(str(folder))
    keras_hub.models.BertTokenizer(TOKENS, lowercase=True).save_to_preset(str(folder))
    return folder


@pytest.fixture
def hub_cache(tmp_path, monkeypatch) -> Path:
    """An empty cache of huggingface_hub, and no network."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path / "kaggle"))
    monkeypatch.setenv("KERAS_FT_CACHE", str(tmp_path / "keras_ft"))
    return tmp_path / "hub"


def cache(hub: Path, repository: str, folder: Path, revision: str = "main") -> None:
    """Lay a folder down as `snapshot_download` would have."""
    root = hub / f"models--{repository.replace('/', '--')}"
    (root / "refs").mkdir(parents=True)
    (root / "refs" / revision).write_text(COMMIT)
    shutil.copytree(folder, root / "snapshots" / COMMIT)


def test_a_cached_repository_loads_without_a_network(tmp_path, hub_cache):
    folder = write_hugging_face(tmp_path / "made")
    cache(hub_cache, "org/tiny", folder)
    pretrained = load_pretrained("hf://org/tiny")
    assert pretrained.name == "hf://org/tiny"
    assert np.array_equal(word_embeddings(pretrained), word_embeddings(load_pretrained(str(folder))))


def test_the_revision_that_is_named_is_taken(tmp_path, hub_cache):
    cache(hub_cache, "org/tiny", write_hugging_face(tmp_path / "made"), revision="v2")
    assert load_pretrained("hf://org/tiny@v2").pooling == "pooler"
    with pytest.raises(WorkError, match="not in the local cache"):
        load_pretrained("hf://org/tiny")


def test_a_keras_hub_preset_on_hugging_face_loads(tmp_path, hub_cache):
    cache(hub_cache, "keras/tiny", write_keras_hub(tmp_path / "made"))
    assert load_pretrained("hf://keras/tiny").config.hidden_act == "gelu_new"


def test_what_is_of_no_known_family_is_refused_before_its_weights_are_fetched(tmp_path, monkeypatch):
    asked = []

    def snapshot_download(repository, revision, allow_patterns):
        asked.append((repository, revision, allow_patterns))
        return str(write_hugging_face(tmp_path, model_type="llama"))

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    with pytest.raises(RequestError, match="is a llama model; supported are bert, gpt2"):
        load_pretrained("hf://org/llama@main")
    assert asked == [("org/llama", "main", ["config.json"])]


def test_only_what_a_bert_needs_is_fetched(tmp_path, monkeypatch):
    wanted = []

    def snapshot_download(repository, revision, allow_patterns):
        wanted.extend(allow_patterns)
        return str(write_hugging_face(tmp_path))

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    load_pretrained("hf://org/tiny")
    files = ["config.json", "model.safetensors", "model-00001-of-00002.safetensors", "1_Pooling/config.json"]
    files += ["model.weights.h5", "assets/tokenizer/vocabulary.txt", "pytorch_model.bin", "onnx/model.safetensors"]
    files += ["tf_model.h5", "model.fp16.safetensors"]
    taken = list(huggingface_hub.utils.filter_repo_objects(files, allow_patterns=wanted))
    assert taken == files[:6]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda folder: (folder / "config.json").unlink(), "has no config.json"),
        (lambda folder: (folder / "config.json").write_text("[]"), "is not a JSON object"),
        (lambda folder: (folder / "model.safetensors").unlink(), "only pytorch_model.bin"),
    ],
)
def test_a_repository_without_a_readable_bert_is_refused(tmp_path, hub_cache, spoil, message):
    folder = write_hugging_face(tmp_path / "made")
    spoil(folder)
    cache(hub_cache, "org/tiny", folder)
    with pytest.raises(RequestError, match=message):
        load_pretrained("hf://org/tiny")


def http_error(kind):
    """An error of the client, without the response that it would come from."""
    error = kind.__new__(kind)
    Exception.__init__(error, "401 Client Error.\n\nRepository Not Found")
    return error


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (http_error(errors.RepositoryNotFoundError), RequestError, "does not exist or is private"),
        (http_error(errors.GatedRepoError), RequestError, "is gated: accept its terms on huggingface.co/org/tiny"),
        (http_error(errors.RevisionNotFoundError), RequestError, "has no revision 'v9'"),
        (errors.HFValidationError("bad name"), RequestError, "is no name of a repository"),
        (errors.LocalEntryNotFoundError("offline"), WorkError, "cannot be reached"),
        (ConnectionError("no\nroute"), WorkError, r"could not be fetched \(no route\)"),
    ],
)
def test_what_hugging_face_answers_is_one_line(monkeypatch, error, kind, message):
    def snapshot_download(*args, **kwargs):
        raise error

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    with pytest.raises(kind, match=message) as raised:
        load_pretrained("hf://org/tiny@v9")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "name", ["hf://", "hf://a/b/c", "hf://org/na me", "kaggle://keras/bert", "kaggle://a/b/pytorch/c"]
)
def test_a_name_of_another_form_is_refused(name):
    with pytest.raises(RequestError, match="should look like"):
        load_pretrained(name)


def test_another_hub_is_refused():
    with pytest.raises(RequestError, match="only hf:// and kaggle://"):
        load_pretrained("modelscope://org/tiny")


def test_a_kaggle_model_loads_from_where_kagglehub_puts_it(tmp_path, monkeypatch):
    folder, asked = write_keras_hub(tmp_path / "models"), []
    monkeypatch.setattr(kagglehub, "model_download", lambda handle: asked.append(handle) or str(folder))
    pretrained = load_pretrained("kaggle://keras/bge/keras/bge_small_en/2")
    assert asked == ["keras/bge/keras/bge_small_en/2"]
    assert pretrained.tokenizer.vocabulary.tokens == TOKENS
    assert pretrained.pooling == "first"


class Response:
    status_code = 403
    headers: dict = {}  # noqa: RUF012
    request = None


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (KaggleApiHTTPError("403 Client Error.", Response()), RequestError, "does not exist, is private, or wants"),
        (UnauthenticatedError(), RequestError, "KAGGLE_API_TOKEN"),
        (ConnectionError("no\nroute"), WorkError, r"could not be fetched \(no route\)"),
    ],
)
def test_what_kaggle_answers_is_one_line(monkeypatch, error, kind, message):
    def model_download(handle):
        raise error

    monkeypatch.setattr(kagglehub, "model_download", model_download)
    with pytest.raises(kind, match=message) as raised:
        load_pretrained("kaggle://keras/bert/keras/bert_tiny_en_uncased")
    assert "\n" not in str(raised.value)


@pytest.fixture
def no_kaggle(monkeypatch):
    """kagglehub as it is, with a line that is cut."""

    def cut(*arguments, **options):
        raise requests.ConnectionError("no\nroute")

    monkeypatch.setattr(requests.Session, "send", cut)


def cache_kaggle(folder: Path, version: int, complete: bool = True) -> Path:
    """Lay a preset down as kagglehub would have."""
    written = write_keras_hub(folder / "kaggle" / "models" / "keras" / "bert" / "keras" / "bert_tiny" / str(version))
    if complete:
        written.with_name(f"{version}.complete").touch()
    return written


def test_without_a_network_the_newest_cached_version_is_taken_and_told(tmp_path, hub_cache, no_kaggle, capsys):
    for version, complete in ((9, True), (10, True), (11, False)):
        cache_kaggle(tmp_path, version, complete)
    assert fetch_kaggle("kaggle://keras/bert/keras/bert_tiny").name == "10"
    told = capsys.readouterr().err
    assert "Kaggle cannot be reached" in told
    assert told.endswith("bert_tiny is taken from the cache, version 10\n")
    assert fetch_kaggle("kaggle://keras/bert/keras/bert_tiny/9").name == "9"
    assert capsys.readouterr().err == ""


def test_without_a_network_what_is_not_wholly_cached_is_an_error(tmp_path, hub_cache, no_kaggle):
    cache_kaggle(tmp_path, 11, complete=False)
    for name in ("kaggle://keras/bert/keras/bert_tiny", "kaggle://keras/bert/keras/bert_tiny/11"):
        with pytest.raises(WorkError, match=r"could not be fetched \(no route\); check the network"):
            fetch_kaggle(name)


def test_cached_models_are_listed_as_the_recipe_names_them(tmp_path, hub_cache):
    assert cached_presets() == []
    cache(hub_cache, "org/tiny", write_hugging_face(tmp_path / "bert"))
    cache(hub_cache, "org/llama", write_hugging_face(tmp_path / "llama", model_type="llama"))
    incomplete = write_hugging_face(tmp_path / "incomplete")
    (incomplete / "model.safetensors").unlink()
    cache(hub_cache, "org/refused", incomplete)
    write_keras_hub(tmp_path / "kaggle" / "models" / "keras" / "bert" / "keras" / "bert_tiny" / "3")
    assert cached_presets() == ["hf://org/tiny", "kaggle://keras/bert/keras/bert_tiny/3"]
