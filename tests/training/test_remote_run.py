"""Data, run and export in an object store, from training to answers."""

import json
import shutil

import keras
import numpy as np
import pytest

from keras_ft.errors import RequestError, WorkError
from keras_ft.evaluation.evaluate_run import evaluate_run
from keras_ft.evaluation.predict import predict
from keras_ft.export.export import export
from keras_ft.export.verify import verify
from keras_ft.recipe_file import load_recipe
from keras_ft.training.train import train
from tests.tiny import write_recipe


@pytest.fixture
def recipe(store, tmp_path):
    path = write_recipe(tmp_path / "here")
    (store.root / "b").mkdir(parents=True)
    for name in ("train.jsonl", "test.jsonl"):
        shutil.move(path.parent / name, store.root / "b" / name)
    data = "data={train: gs://b/train.jsonl, validation: 0.25, test: gs://b/test.jsonl, max_length: 32}"
    return load_recipe(path, [data, "train.checkpoint.every=10 steps", "train.epochs=4"])


def silent(line):
    pass


class Crash(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        if logs["step"] == 15:
            raise RuntimeError("preempted")


def test_a_remote_run_resumes_on_another_machine_and_ends_as_a_local_one(store, recipe, tmp_path):
    with pytest.raises(RuntimeError):
        train(recipe, "gs://b/runs/tiny", [Crash()], silent)
    shutil.rmtree(tmp_path / "cache")  # what another machine does not have
    told = []
    metrics = train(recipe, "gs://b/runs/tiny", tell=told.append)
    assert "Resuming from step 10 of 20" in told
    assert store.written[-1] == "gs://b/runs/tiny/metrics.json"
    assert not (store.root / "b/runs/tiny/data").exists()
    local = train(recipe, tmp_path / "run", tell=silent)
    assert metrics["test"] == local["test"]
    ours, theirs = (
        json.loads((f / "metrics.json").read_text()) for f in (store.root / "b/runs/tiny", tmp_path / "run")
    )
    assert ours["validation"] == theirs["validation"]


def test_a_remote_run_is_exported_verified_and_asked(store, recipe, tiny_run):
    shutil.copytree(tiny_run, store.root / "b/run", ignore=shutil.ignore_patterns("data", ".lock"))
    folder, found = export("gs://b/run", "gs://b/models/tiny")
    assert (folder, found.examples > 0) == ("gs://b/models/tiny/1", True)
    assert store.written[-1] == "gs://b/models/tiny/1/saved_model.pb"
    assert verify(folder).largest_difference <= 1e-5
    assert export("gs://b/run", "gs://b/models/tiny")[0] == "gs://b/models/tiny/2"
    with pytest.raises(RequestError, match="gs://b/models/tiny/1 exists; give another --version"):
        export("gs://b/run", "gs://b/models/tiny", version=1)
    local = list(predict(tiny_run, ["great film", "电影很差"], None))
    for place in ("gs://b/run", "gs://b/models/tiny", "gs://b/models/tiny/1/"):
        for ours, theirs in zip(predict(place, ["great film", "电影很差"], None), local, strict=True):
            assert ours["label"] == theirs["label"]
            assert np.allclose(ours["scores"], theirs["scores"], atol=1e-5)
    assert evaluate_run("gs://b/run", "gs://b/test.jsonl")["accuracy"] >= 0.9


def test_a_remote_folder_that_is_no_run_is_not_touched(store, recipe):
    (store.root / "b/photos").mkdir()
    (store.root / "b/photos/cat.jpg").write_bytes(b"cat")
    with pytest.raises(RequestError, match="gs://b/photos is not empty and holds no run"):
        train(recipe, "gs://b/photos", tell=silent)
    assert (store.root / "b/photos/cat.jpg").read_bytes() == b"cat"


def test_a_store_that_cannot_be_reached_is_one_line(store, recipe):
    store.broken = True
    with pytest.raises(WorkError, match=r"gs://b/runs/x cannot be read \(the network is down\); check the network"):
        train(recipe, "gs://b/runs/x", tell=silent)


def test_what_could_not_be_published_is_not_lost_by_the_next_start(store, recipe, tmp_path):
    class Outage(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            store.broken = True
            if logs["step"] == 15:
                raise RuntimeError("preempted")

    told = []
    with pytest.raises(RuntimeError):
        train(recipe, "gs://b/runs/x", [Outage()], told.append)
    assert any(line.startswith("The checkpoint is in ") for line in told)
    with pytest.raises(WorkError):
        train(recipe, "gs://b/runs/x", tell=silent)
    store.broken = False
    train(recipe, "gs://b/runs/x", tell=told.append)
    assert "Resuming from step 10 of 20" in told
    assert (store.root / "b/runs/x/metrics.json").is_file()


def test_reading_a_run_leaves_the_copy_that_trains_alone(store, recipe, tmp_path):
    with pytest.raises(RuntimeError):
        train(recipe, "gs://b/runs/x", [Crash()], silent)
    working = tmp_path / "cache/remote/gs/b/runs/x"
    before = sorted(p for p in working.rglob("*"))
    (working / "checkpoints/best-1.writing").mkdir()
    with pytest.raises(RequestError, match="the run is not finished"):
        list(predict("gs://b/runs/x", ["good"], None))
    assert sorted(p for p in working.rglob("*")) == sorted([*before, working / "checkpoints/best-1.writing"])
