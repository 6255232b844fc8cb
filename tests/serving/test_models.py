"""Which versions a store serves, and how they come and go while requests are answered."""

import threading
from pathlib import Path

import pytest

from keras_ft.errors import RequestError
from keras_ft.serving.models.config import ALL_VERSIONS, ModelConfig, VersionPolicy, configs_of_folders
from keras_ft.serving.models.store import ModelStore
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


def served(folder: Path, load=Fake, **config) -> ModelStore:
    store = ModelStore([ModelConfig("m", str(folder), **config)], load=load)
    store.update()
    return store


def states(store: ModelStore) -> list[tuple[int, str]]:
    return [(it.version, it.state) for it in store.versions("m")]


def broken(*names: str):
    def load(folder):
        if folder.name in names:
            raise StatusError("DATA_LOSS", "broken")
        return Fake(folder)

    return load


def test_the_latest_version_by_number_is_served(tmp_path):
    store = served(make(tmp_path / "m", "9", "00000010", "latest"))
    with store.lease("m") as lease:
        assert (lease.version.version, lease.version.state) == (10, "AVAILABLE")
        assert lease.predictor.folder == tmp_path / "m" / "00000010"
    store.close()
    assert (lease.version.state, lease.predictor.closed) == ("END", True)


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (VersionPolicy(), [3]),
        (VersionPolicy(latest=2), [3, 2]),
        (VersionPolicy(latest=9), [3, 2, 1]),
        (ALL_VERSIONS, [3, 2, 1]),
        (VersionPolicy(latest=0, specific=frozenset([1, 3, 7])), [3, 1]),
    ],
)
def test_the_policy_says_which_versions_are_served(tmp_path, policy, expected):
    store = served(make(tmp_path / "m", "1", "2", "3"), policy=policy)
    assert states(store) == [(version, "AVAILABLE") for version in expected]


def test_versions_are_found_by_number_and_label(tmp_path):
    store = served(make(tmp_path / "m", "1", "2"), policy=ALL_VERSIONS, labels={"stable": 1, "gone": 7})
    assert store.lease("m").version.version == 2
    assert store.lease("m", version=1).version.version == 1
    assert store.lease("m", label="stable").version.version == 1
    with pytest.raises(StatusError, match=r"NOT_FOUND: Servable not found for request: Specific\(m, 7\)"):
        store.lease("m", label="gone")
    with pytest.raises(StatusError, match="INVALID_ARGUMENT: Unrecognized servable version label: new"):
        store.lease("m", label="new")


def test_a_new_version_is_loaded_before_the_old_one_goes(tmp_path):
    seen = []

    def load(folder):
        seen.append((folder.name, states(store)))
        return Fake(folder)

    store = ModelStore([ModelConfig("m", str(make(tmp_path / "m", "1")))], load=load)
    store.update()
    make(tmp_path / "m", "2")
    store.update()
    assert seen == [("1", [(1, "LOADING")]), ("2", [(2, "LOADING"), (1, "AVAILABLE")])]
    assert states(store) == [(2, "AVAILABLE"), (1, "END")]


def test_a_version_answers_those_who_hold_it_before_it_is_closed(tmp_path):
    store = served(make(tmp_path / "m", "1"))
    lease = store.lease("m")
    make(tmp_path / "m", "2")
    swap = threading.Thread(target=store.update)
    swap.start()
    while states(store) != [(2, "AVAILABLE"), (1, "UNLOADING")]:
        assert swap.is_alive()
    assert store.lease("m").version.version == 2
    assert not lease.predictor.closed
    lease.release()
    lease.release()  # does nothing
    swap.join()
    assert lease.predictor.closed
    assert states(store) == [(2, "AVAILABLE"), (1, "END")]


def test_a_version_that_fails_to_load_is_reported_and_the_old_one_stays(tmp_path):
    told = []
    store = ModelStore([ModelConfig("m", str(make(tmp_path / "m", "1")))], load=broken("2"), tell=told.append)
    store.update()
    make(tmp_path / "m", "2")
    store.update()
    store.update()
    newest, oldest = store.statuses("m")
    assert (newest.state, newest.error_code, newest.error_message) == ("END", "DATA_LOSS", "broken")
    assert oldest.state == "AVAILABLE"
    assert store.lease("m").version.version == 1
    assert [line for line in told if "Not serving" in line] == [
        f"Not serving m version 2 ({tmp_path / 'm' / '2'}): DATA_LOSS: broken"
    ]


def test_a_version_that_failed_is_tried_again_when_its_files_changed(tmp_path):
    names = ["1"]

    def load(folder):
        return broken(*names)(folder)

    store = served(make(tmp_path / "m", "1"), load=load)
    names.clear()
    store.update()
    assert states(store) == [(1, "END")]
    (tmp_path / "m" / "1" / "saved_model.pb").write_text("whole now")
    store.update()
    assert states(store) == [(1, "AVAILABLE")]


def test_a_version_without_its_saved_model_is_still_being_copied(tmp_path):
    store = served(make(tmp_path / "m", "1"))
    (tmp_path / "m" / "2" / "variables").mkdir(parents=True)
    store.update()
    assert states(store) == [(1, "AVAILABLE")]
    (tmp_path / "m" / "2" / "saved_model.pb").touch()
    store.update()
    assert states(store) == [(2, "AVAILABLE"), (1, "END")]


def test_a_folder_that_vanishes_takes_no_service_down_and_going_back_is_done_by_deleting(tmp_path):
    folder = make(tmp_path / "m", "1", "2")
    store = served(folder)
    (folder / "2").rename(tmp_path / "elsewhere")
    store.update()
    assert states(store) == [(2, "END"), (1, "AVAILABLE")]
    folder.rename(tmp_path / "gone")
    store.update()
    assert states(store) == [(2, "END"), (1, "AVAILABLE")]


def test_many_swaps_leave_a_bounded_list_of_states(tmp_path):
    folder = make(tmp_path / "m", "1")
    store = served(folder)
    for version in range(2, 30):
        make(folder, str(version))
        store.update()
    assert store.lease("m").version.version == 29
    assert len(store.versions("m")) < 12


def test_a_reload_adds_drops_and_keeps_models(tmp_path):
    store = served(make(tmp_path / "m", "1"))
    kept = store.lease("m").version
    kept.users = 0
    store.reload([ModelConfig("m", str(tmp_path / "m")), ModelConfig("n", str(make(tmp_path / "n", "5")))])
    assert store.lease("m").version is kept
    assert store.lease("n").version.version == 5
    kept.users = 0
    store.reload([ModelConfig("n", str(tmp_path / "n"), labels={"stable": 5})])
    assert store.lease("n", label="stable").version.version == 5
    with pytest.raises(StatusError, match="Could not find any versions of model m"):
        store.statuses("m")


def test_a_reload_that_cannot_be_kept_says_so(tmp_path):
    store = served(make(tmp_path / "m", "1"))
    with pytest.raises(StatusError, match="FAILED_PRECONDITION: .* m version 2, which is not currently available"):
        store.reload([ModelConfig("m", str(tmp_path / "m"), labels={"canary": 2})])
    with pytest.raises(StatusError, match="Some models did not become available: {n}"):
        store.reload([ModelConfig("m", str(tmp_path / "m")), ModelConfig("n", str(tmp_path / "none"))])
    assert store.lease("m").version.version == 1
    assert store.not_ready() == ["n"]


@pytest.mark.parametrize(
    ("make_folders", "message"),
    [
        (lambda root: [root / "none"], "none: no such folder"),
        (lambda root: [make(root / "m", "v1")], "m: no version folder in it"),
        (lambda root: [(root / "m" / "1").mkdir(parents=True) or root / "m"], "1: no saved_model.pb in it"),
        (lambda root: [(root / "m" / "1").mkdir(parents=True) or root / "m" / "1"], "1: no saved_model.pb in it"),
        (lambda root: [make(root / "a" / "m", "1"), make(root / "b" / "m", "1")], "m is already served from .*/a/m"),
        (lambda root: [make(root / "m", "1"), root / "m"], "m is already served from"),
    ],
)
def test_a_folder_that_is_no_model_is_refused_in_one_line(tmp_path, make_folders, message):
    with pytest.raises(RequestError, match=message) as error:
        configs_of_folders(make_folders(tmp_path))
    assert "\n" not in str(error.value)


def test_versions_given_as_folders_are_served_side_by_side(tmp_path):
    folder = make(tmp_path / "m", "1", "2", "3")
    store = ModelStore(configs_of_folders([folder / "1", folder / "2"]), load=Fake)
    store.update()
    assert states(store) == [(2, "AVAILABLE"), (1, "AVAILABLE")]


def test_a_folder_given_by_a_relative_path_has_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(make(tmp_path / "m", "1"))
    assert configs_of_folders([Path(".")]) == [ModelConfig("m", str(tmp_path / "m"))]
