"""Files and folders in an object store, fetched and published."""

import os

import pytest

from keras_ft.errors import RequestError, WorkError
from keras_ft.paths import child_folders, is_remote, local_file, local_folder, pull, push


def put(store, name, content=b"x"):
    path = store.root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def names_in(folder):
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def test_only_known_schemes_are_remote():
    assert is_remote("gs://bucket/a")
    assert not is_remote("data/a.csv")
    assert not is_remote("tfds:glue/sst2")
    with pytest.raises(RequestError, match="files at 'http://' cannot be read"):
        is_remote("http://example.com/a.csv")


def test_a_local_file_stays_where_it_is(tmp_path):
    assert local_file(tmp_path / "a.csv") == tmp_path / "a.csv"


def test_a_remote_file_is_fetched_once_and_again_when_it_changes(store):
    put(store, "b/a.csv", b"one")
    first = local_file("gs://b/a.csv")
    assert first.read_bytes() == b"one"
    first.write_bytes(b"kept here")
    assert local_file("gs://b/a.csv").read_bytes() == b"kept here"
    put(store, "b/a.csv", b"three")
    assert local_file("gs://b/a.csv").read_bytes() == b"three"


def test_absent_remote_file_and_broken_network_are_told_apart(store):
    with pytest.raises(RequestError, match="no such file: gs://b/none.csv"):
        local_file("gs://b/none.csv")
    store.broken = True
    with pytest.raises(WorkError, match=r"gs://b/none.csv cannot be read \(the network is down\)"):
        local_file("gs://b/none.csv")


def test_pushed_folder_comes_back_whole_with_what_counts_written_last(store, tmp_path):
    here = tmp_path / "run"
    for name in ("a.json", "sub/done.json", "sub/z.bin", "data/ids.npy"):
        (here / name).parent.mkdir(parents=True, exist_ok=True)
        (here / name).write_text(name)
    push(here, "gs://b/run", last=["done.json"], ignore=["data"])
    assert store.written[-1] == "gs://b/run/sub/done.json"
    pull("gs://b/run", tmp_path / "copy")
    assert names_in(tmp_path / "copy") == ["a.json", "sub/done.json", "sub/z.bin"]


def test_pushing_again_deletes_what_is_gone_and_writes_no_checkpoint_twice(store, tmp_path):
    here = tmp_path / "run"
    for step in (1, 2):
        (here / f"checkpoints/step-{step}").mkdir(parents=True)
        (here / f"checkpoints/step-{step}/state").write_text("weights")
    push(here, "gs://b/run")
    os.remove(here / "checkpoints/step-1/state")
    (here / "log.csv").write_text("x")
    store.written.clear()
    push(here, "gs://b/run")
    assert store.written == ["gs://b/run/log.csv"]
    assert store.deleted == ["gs://b/run/checkpoints/step-1/state"]


def test_pulling_deletes_what_is_gone_there_but_for_what_is_kept_here(store, tmp_path):
    put(store, "b/run/a", b"new")
    here = tmp_path / "run"
    for name in ("a", "old/b", "data/c"):
        (here / name).parent.mkdir(parents=True, exist_ok=True)
        (here / name).write_text("old")
    pull("gs://b/run", here, ignore=["data"])
    assert names_in(here) == ["a", "data/c"]
    assert (here / "a").read_text() == "new"
    assert not (here / "old").exists()


def test_a_remote_folder_keeps_its_name_here(store):
    put(store, "b/models/intent/3/saved_model.pb")
    assert child_folders("gs://b/models/intent") == ["3"]
    assert child_folders("gs://b/models/none") == []
    folder = local_folder("gs://b/models/intent/3/")
    assert (folder.parent.name, folder.name) == ("intent", "3")
    assert names_in(folder) == ["saved_model.pb"]
