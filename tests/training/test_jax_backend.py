"""The JAX engine, in a process of its own with four virtual devices, against numbers of TensorFlow in this one."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from keras_ft.evaluation.evaluate import evaluate
from tests.training import embedding_steps, language_steps, pooled_steps, relation_steps, span_qa_steps, tagging_steps
from tests.training.equal_steps import TASK, learn, make_arrays, ragged, tf_engine

FOLDER = Path(__file__).parent / "jax_backend"


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> Path:
    """What TensorFlow computes: 20 steps, and the states behind the third and the fourth of them."""
    folder = tmp_path_factory.mktemp("results")
    arrays, engine = make_arrays(folder / "arrays"), tf_engine()
    steps = ragged(arrays)
    np.savez(folder / "start.npz", **engine.state())
    losses = learn(engine, arrays, steps[:3])
    np.savez(folder / "three.npz", losses=losses, **engine.state())
    fourth = learn(engine, arrays, steps[:4], start=3)
    np.savez(folder / "four.npz", losses=fourth, **engine.state())
    losses = np.concatenate([losses, fourth, learn(engine, arrays, steps, start=4)])
    np.savez(folder / "twenty.npz", losses=losses, **engine.state())
    metrics = evaluate(engine, TASK, arrays.select(np.arange(101)))
    (folder / "metrics.json").write_text(json.dumps(metrics))
    _write_language(folder)
    for name in pooled_steps.UNDER_JAX:
        _write_pooled(name, pooled_steps.TASKS[name], folder)
    _write_span_qa(folder)
    _write_embedding(folder)
    _write_relation(folder)
    _write_taggers(folder)
    return folder


def _write_pooled(name: str, task, folder: Path) -> None:
    """The same of a task with one vector a text."""
    arrays, engine = pooled_steps.make_arrays(task, folder / f"arrays-{name}"), pooled_steps.tf_engine(task)
    losses = pooled_steps.learn(engine, arrays, pooled_steps.ragged(arrays))
    np.savez(folder / f"{name}.npz", losses=losses, **engine.state())
    (folder / f"{name}.json").write_text(json.dumps(evaluate(engine, task, arrays)))


def _write_language(folder: Path) -> None:
    """The same of a language model: losses, the state behind them, and its metrics."""
    arrays, engine = language_steps.make_arrays(folder / "sequences"), language_steps.tf_engine()
    losses = language_steps.learn(engine, arrays, language_steps.ragged(arrays))
    np.savez(folder / "language.npz", losses=losses, **engine.state())
    metrics = evaluate(engine, language_steps.TASK, arrays)
    (folder / "language.json").write_text(json.dumps(metrics))


def _write_span_qa(folder: Path) -> None:
    """The same of question answering."""
    arrays, engine = span_qa_steps.make_arrays(folder / "windows"), span_qa_steps.tf_engine()
    losses = span_qa_steps.learn(engine, arrays, span_qa_steps.ragged(arrays))
    np.savez(folder / "span_qa.npz", losses=losses, **engine.state())
    (folder / "span_qa.json").write_text(json.dumps(evaluate(engine, span_qa_steps.TASK, arrays)))


def _write_embedding(folder: Path) -> None:
    """The same of an embedding model."""
    arrays, engine = embedding_steps.make_arrays(folder / "triplets"), embedding_steps.tf_engine("ragged")
    losses = embedding_steps.learn(engine, arrays, embedding_steps.ragged(arrays))
    np.savez(folder / "embedding.npz", losses=losses, **engine.state())
    metrics = evaluate(engine, embedding_steps.TASK, arrays)
    (folder / "embedding.json").write_text(json.dumps(metrics))


def _write_relation(folder: Path) -> None:
    """The same of relations."""
    arrays, engine = relation_steps.make_arrays(folder / "pairs"), relation_steps.tf_engine()
    losses = language_steps.learn(engine, arrays, language_steps.ragged(arrays))
    np.savez(folder / "relation.npz", losses=losses, **engine.state())
    (folder / "relation.json").write_text(json.dumps(evaluate(engine, relation_steps.TASK, arrays)))


def _write_taggers(folder: Path) -> None:
    """The same of a tagger, plain and with a random field."""
    arrays = tagging_steps.make_arrays(folder / "tagged")
    for name, task in (("tagger", tagging_steps.PLAIN), ("field", tagging_steps.FIELD)):
        engine = tagging_steps.tf_engine(task)
        losses = tagging_steps.learn(engine, arrays, tagging_steps.ragged(arrays))
        np.savez(folder / f"{name}.npz", losses=losses, **engine.state())
        (folder / f"{name}.json").write_text(json.dumps(evaluate(engine, task, arrays)))


@pytest.mark.slow
def test_under_jax(results):
    """Runs `jax_backend/`: an engine needs a backend, and a process has one."""
    environment = {
        **os.environ,
        "KERAS_BACKEND": "jax",
        "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": "--xla_force_host_platform_device_count=4 --xla_backend_optimization_level=0",  # compiles faster
        "JAX_COMPILATION_CACHE_DIR": str(results / "compiled"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "KERAS_FT_TF_RESULTS": str(results),
    }
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "--durations=8",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:xdist",
        str(FOLDER),
    ]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=FOLDER.parents[2])
    print(done.stdout[-6000:])
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    engine, of_jax = tf_engine(), dict(np.load(results / "four_of_jax.npz"))
    engine.load_state(of_jax)
    arrays = make_arrays(results / "again")
    fifth = np.load(results / "twenty.npz")["losses"][4]
    assert learn(engine, arrays, ragged(arrays)[:5], start=4) == pytest.approx([fifth], abs=1e-4)
