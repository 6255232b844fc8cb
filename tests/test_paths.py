"""Files and folders in an object store, fetched and published."""

import shutil

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


def write_checkpoint(run, step, seconds, weights="weights"):
    folder = run / "checkpoints" / f"step-{step}"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "state").write_text(weights)
    (folder / "progress.json").write_text(f'{{"seconds": {seconds}}}')


def test_pushing_again_deletes_what_is_gone_and_writes_no_checkpoint_twice(store, tmp_path):
    here = tmp_path / "run"
    for step in (1, 2):
        write_checkpoint(here, step, 1.5)
    push(here, "gs://b/run")
    shutil.rmtree(here / "checkpoints/step-1")
    (here / "log.csv").write_text("x")
    store.written.clear()
    push(here, "gs://b/run")
    assert store.written == ["gs://b/run/log.csv"]
    assert sorted(store.deleted) == [f"gs://b/run/checkpoints/step-1/{name}" for name in ("progress.json", "state")]


def test_a_checkpoint_of_another_run_with_the_same_step_and_size_is_not_taken_for_ours(store, tmp_path):
    write_checkpoint(tmp_path / "a", 1, 1.5, "weights of a")
    write_checkpoint(tmp_path / "b", 1, 2.5, "weights of b")
    push(tmp_path / "b", "gs://b/run")
    pull("gs://b/run", tmp_path / "a")
    assert (tmp_path / "a/checkpoints/step-1/state").read_text() == "weights of b"


def test_a_store_that_cannot_be_reached_is_not_an_empty_one(store, tmp_path):
    here = tmp_path / "run"
    write_checkpoint(here, 1, 1.5)
    push(here, "gs://b/run")
    store.broken = True
    for act in (
        lambda: pull("gs://b/run", here),
        lambda: push(here, "gs://b/run"),
        lambda: child_folders("gs://b/run"),
    ):
        with pytest.raises(WorkError, match="the network is down"):
            act()
    assert (here / "checkpoints/step-1/state").exists()


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
