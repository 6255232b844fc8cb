"""What every test can use: the shared data sets, where they are present."""

import os
from pathlib import Path

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


def pytest_collection_modifyitems(items):
    if SHARED_DATA.is_dir():
        return
    skip = pytest.mark.skip(reason=f"{SHARED_DATA} is absent")
    for item in items:
        if "shared" in item.keywords:
            item.add_marker(skip)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    return SHARED_DATA


@pytest.fixture
def store(tmp_path, monkeypatch):
    """A stand-in for `gs://`, and an empty cache."""
    from tests.object_store import install

    monkeypatch.setenv("KERAS_FT_CACHE", str(tmp_path / "cache"))
    return install(monkeypatch, tmp_path / "store")


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory) -> Path:
    """A finished run of a tiny classifier."""
    from keras_ft.recipe_file import load_recipe
    from keras_ft.training.train import train
    from tests.tiny import write_recipe

    folder = tmp_path_factory.mktemp("tiny")
    train(load_recipe(write_recipe(folder)), folder / "run", tell=lambda line: None)
    return folder / "run"


@pytest.fixture(scope="session")
def relation_run(tmp_path_factory) -> Path:
    """A finished run of tiny relations."""
    from keras_ft.recipe_file import load_recipe
    from keras_ft.training.train import train
    from tests.tiny_relations import write_relation_recipe

    folder = tmp_path_factory.mktemp("relations")
    train(load_recipe(write_relation_recipe(folder)), folder / "run", tell=lambda line: None)
    return folder / "run"
