"""What every test can use: the shared data sets, where they are present."""

import gc
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.quick_start import QuickCommands

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

gc.set_threshold(100_000, 10, 10)  # as the command does: tracing makes objects that stay

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


LONGEST_FIRST = (
    "test_docs.py",
    "test_jax_backend.py",
    "test_train.py",
    "test_language_runs.py",
    "test_export_of_writers.py",
    "test_export.py",
    "test_notebooks.py",
    "test_workers.py",
    "test_tpu_readiness.py",
    "test_kill_and_resume.py",
    "test_byte_pair.py",
    "test_wordpiece.py",
    "test_strategies.py",
    "test_convert.py",
    "test_remote_run.py",
    "test_pooled_runs.py",
)
"""Files that take a minute or more. A file's tests run in one process, so that no fixture is made twice; what begins
late must be short, or one process would work alone at the end."""


def pytest_collection_modifyitems(items):
    places = {name: place for place, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: places.get(item.path.name, len(places)))
    if SHARED_DATA.is_dir():
        return
    skip = pytest.mark.skip(reason=f"{SHARED_DATA} is absent")
    for item in items:
        if "shared" in item.keywords:
            item.add_marker(skip)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    return SHARED_DATA


@pytest.fixture(scope="session", autouse=True)
def checked_here():
    """`verify` checks an export in this process, since starting another takes most of its time; see `checked_apart`."""
    from keras_ft.errors import WorkError
    from keras_ft.export import verify

    def check(folder: Path, requests: dict) -> dict:
        from keras_ft.export import session_check

        try:
            return json.loads(json.dumps(session_check.check(str(folder), requests)))
        except Exception as error:
            raise WorkError(f"{folder} does not run through a Session: {error!r}") from error

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(verify, "_run_session", check)
        yield patch


@pytest.fixture
def checked_apart(checked_here):
    """`verify` as users have it, in a process of its own."""
    from keras_ft.export import verify

    here = verify._run_session
    checked_here.undo()
    yield
    checked_here.setattr(verify, "_run_session", here)


@pytest.fixture(scope="session")
def commands(tmp_path_factory) -> Iterator[QuickCommands]:
    """`keras-ft` and `python` that start quickly, with TensorFlow as their backend."""
    made = QuickCommands(tmp_path_factory.mktemp("commands"))
    yield made
    made.close()


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
