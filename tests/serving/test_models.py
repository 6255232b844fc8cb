from pathlib import Path

import pytest

from keras_ft.errors import RequestError
from keras_ft.serving.models import ModelStore
from keras_ft.serving.status import StatusError


class Fake:
    def __init__(self, folder):
        self.folder, self.closed = folder, False
        self.signatures = self.signature_defs = {}

    def predict(self, signature_name, inputs):
        return inputs

    def close(self):
        self.closed = True


def make(root: Path, *versions: str) -> Path:
    for version in versions:
        (root / version).mkdir(parents=True)
        (root / version / "saved_model.pb").touch()
    return root


def test_the_latest_version_by_number_is_served(tmp_path):
    folder = make(tmp_path / "m", "9", "00000010", "latest")
    store = ModelStore([folder], load=Fake)
    assert [(it.name, it.version, it.state) for it in store.versions()] == [("m", 10, "START")]
    store.load()
    version, predictor = store.find("m")
    assert (version.state, predictor.folder) == ("AVAILABLE", folder / "00000010")
    store.close()
    assert (version.state, predictor.closed) == ("END", True)


def test_versions_asked_for_are_served_side_by_side_and_found_by_number_and_label(tmp_path):
    folder = make(tmp_path / "m", "1", "2", "3")
    store = ModelStore([folder / "1", folder / "2"], load=Fake, labels={"m": {"stable": 1, "gone": 7}})
    store.load()
    assert [it.version for it in store.statuses("m")] == [2, 1]
    assert store.find("m")[0].version == 2
    assert store.find("m", version=1)[0].version == 1
    assert store.find("m", label="stable")[0].version == 1
    with pytest.raises(StatusError, match=r"NOT_FOUND: Servable not found for request: Specific\(m, 7\)"):
        store.find("m", label="gone")


def test_a_version_that_fails_to_load_is_reported_and_the_rest_is_served(tmp_path):
    def load(folder):
        if folder.name == "2":
            raise StatusError("DATA_LOSS", "broken")
        return Fake(folder)

    folder = make(tmp_path / "m", "1", "2")
    store = ModelStore([folder / "1", folder / "2"], load=load)
    store.load()
    assert [(it.state, it.error_code, it.error_message) for it in store.statuses("m")] == [
        ("END", "DATA_LOSS", "broken"),
        ("AVAILABLE", "OK", ""),
    ]
    assert store.find("m")[0].version == 1


@pytest.mark.parametrize(
    ("make_folders", "message"),
    [
        (lambda root: [root / "none"], "none: no such folder"),
        (lambda root: [make(root / "m", "v1")], "m: no version folder in it"),
        (lambda root: [(root / "m" / "1").mkdir(parents=True) or root / "m"], "1: no saved_model.pb in it"),
        (lambda root: [make(root / "a" / "m", "1"), make(root / "b" / "m", "1")], "version 1 of m is already served"),
    ],
)
def test_a_folder_that_is_no_model_is_refused_in_one_line(tmp_path, make_folders, message):
    with pytest.raises(RequestError, match=message) as error:
        ModelStore(make_folders(tmp_path), load=Fake)
    assert "\n" not in str(error.value)


def test_a_folder_given_by_a_relative_path_has_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(make(tmp_path / "m", "1"))
    assert ModelStore([Path(".")], load=Fake).versions()[0].name == "m"
