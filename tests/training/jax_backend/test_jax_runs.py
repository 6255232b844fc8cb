"""Whole runs with `runtime: {engine: jax}`."""

import keras
import numpy as np
import pytest

from keras_ft.errors import RequestError
from keras_ft.evaluation.texts import read_texts
from keras_ft.recipe_file import load_recipe
from keras_ft.training import build as module
from keras_ft.training.train import train
from tests.tiny import SENTENCES, write_recipe
from tests.tiny_language import write_language_recipe


def silent(line: str) -> None:
    pass


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    folder = tmp_path_factory.mktemp("jax")
    path = write_recipe(folder, train="{epochs: 2, batch_size: 8, learning_rate: 3.0e-3, evaluate_every: 2 steps}")
    return load_recipe(path, ["runtime.engine=jax", "runtime.strategy={data: 2}"])


@pytest.fixture
def engines(monkeypatch):
    made = []
    make = module.make_engine
    monkeypatch.setattr(module, "make_engine", lambda *args: made.append(make(*args)) or made[-1])
    return made


def test_an_interrupted_run_goes_on_and_ends_as_one_never_interrupted_in_few_compilations(recipe, engines, tmp_path):
    class Interrupter(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if logs["step"] == 4:
                raise KeyboardInterrupt

    told = []
    whole = train(recipe, tmp_path / "whole", tell=silent)
    recipe.train.checkpoint.every.amount, recipe.train.checkpoint.every.unit = 3, "steps"
    with pytest.raises(KeyboardInterrupt):
        train(recipe, tmp_path / "parts", [Interrupter()], silent)
    parts = train(recipe, tmp_path / "parts", tell=told.append)
    assert any("Resuming from step 3 of 10" in line for line in told)
    assert parts["test"] == whole["test"]
    first, last = engines[0].state(), engines[-1].state()
    for name, array in last.items():
        assert np.array_equal(array, first[name]), name
    assert engines[0].compiled._cache_size() + engines[0]._forward._cache_size() <= 4


def test_the_data_are_prepared_as_for_tensorflow(recipe, tmp_path):
    from keras_ft.presets.load import load_pretrained
    from keras_ft.training.prepare import prepare

    marks = []
    for engine in ("jax", "tensorflow"):
        recipe.runtime.engine = engine
        marks.append(prepare(recipe, load_pretrained(recipe.backbone), tmp_path / engine, silent).fingerprint)
    recipe.runtime.engine = "jax"
    assert marks[0] == marks[1]


def test_an_engine_of_another_backend_and_too_many_devices_are_refused_before_any_work(recipe, tmp_path):
    for changes, message in (
        ({"engine": "tensorflow", "strategy": "auto"}, "KERAS_BACKEND=tensorflow"),
        ({"strategy": {"data": 8}}, "needs 8 devices; JAX sees 4"),
    ):
        other = recipe.model_copy(update={"runtime": recipe.runtime.model_copy(update=changes)})
        with pytest.raises(RequestError, match=message):
            train(other, tmp_path / "run", tell=silent)
        assert not (tmp_path / "run").exists()


def test_a_run_that_writes_writes_its_texts_with_tensorflow(tmp_path):
    task = "{name: text2text, generation: {max_new_tokens: 4}}"
    path = write_language_recipe(tmp_path, "text2text", task=task, train="{steps: 2, batch_size: 8}")
    metrics = train(load_recipe(path, ["runtime.engine=jax"]), tmp_path / "run", tell=silent)
    assert {"loss", "perplexity", "bleu", "chrf", "rougeL"} <= metrics["test"].keys() & metrics["validation"].keys()
    texts = read_texts(tmp_path / "run" / "predictions" / "test_texts.jsonl")
    assert [found.source for found in texts] == SENTENCES
    assert all(found.num_tokens <= 4 for found in texts)
