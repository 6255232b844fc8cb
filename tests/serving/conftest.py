"""Tiny SavedModels, built on the spot from plain tf.Modules, and a server process that serves them."""

import subprocess
import sys

import pytest

BUILD = """
import sys
from pathlib import Path
import tensorflow as tf
import tensorflow_text as text

floats, strings = tf.TensorSpec([None], tf.float32), tf.TensorSpec([None], tf.string)


class HalfPlus(tf.Module):
    # TF Serving's half_plus_two: y = a * x + b; with b = 3, half_plus_three.
    def __init__(self, b):
        self.a, self.b = tf.Variable(0.5), tf.Variable(float(b))

    @tf.function(input_signature=[tf.TensorSpec(None, tf.float32, name="x")])
    def __call__(self, x):
        return {"y": self.a * x + self.b}

    @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32, name="x")])
    def pairs(self, x):
        return {"y": tf.reshape(x, [-1, 2]) + self.b}


class Sentiment(tf.Module):
    # Strings in, answers out, through an op of tensorflow_text and a table.
    def __init__(self):
        self.labels = tf.Variable(["bad", "good", "mixed"])
        self.table = tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(["good", "bad"], [1.0, -1.0]), 0.0)

    @tf.function(input_signature=[strings])
    def __call__(self, text_):
        words = text.WhitespaceTokenizer().tokenize(text.case_fold_utf8(text_))
        mood = tf.reduce_sum(tf.ragged.map_flat_values(self.table.lookup, words), axis=1)
        logits = tf.stack([-mood, mood, tf.zeros_like(mood)], axis=1)  # (N, 3)
        scores, best = tf.math.top_k(tf.nn.softmax(logits), 3)
        labels = tf.gather(self.labels, best)
        return {"label": labels[:, 0], "score": scores[:, 0], "labels": labels, "scores": scores,
                "truncated": words.row_lengths() > 4}


class Kinds(tf.Module):
    # Two inputs; outputs that share no batch dimension; bytes; every dtype.
    @tf.function(input_signature=[floats, tf.TensorSpec([None], tf.int32)])
    def __call__(self, a, b):
        return {"sum": a + tf.cast(b, tf.float32), "product": a * tf.cast(b, tf.float32)}

    @tf.function(input_signature=[strings])
    def raw(self, text_):
        return {"echo_bytes": text_}

    @tf.function(input_signature=[strings])
    def echo(self, text_):
        return {"text": text_}

    @tf.function(input_signature=[floats])
    def total(self, a):
        return {"total": tf.reduce_sum(a)}

    @tf.function(input_signature=[floats])
    def uneven(self, a):
        return {"all": a, "first": a[:1]}

    @tf.function(input_signature=[floats])
    def half(self, a):
        return {"y": tf.cast(a, tf.float16)}

    @tf.function(input_signature=[floats])
    def checked(self, a):
        with tf.control_dependencies([tf.debugging.assert_positive(a, message="a must be positive")]):
            return {"y": tf.math.log(a)}


def save(module, folder, **signatures):
    tf.saved_model.save(module, str(folder), signatures={"serving_default": module.__call__, **signatures})


root = Path(sys.argv[1])
two = HalfPlus(2)
save(two, root / "half_plus_two" / "00000123", pairs=two.pairs)
save(HalfPlus(2), root / "versions" / "1")
save(HalfPlus(3), root / "versions" / "2")
(root / "versions" / "not_a_version").mkdir()
save(Sentiment(), root / "sentiment" / "1")
kinds = Kinds()
save(kinds, root / "kinds" / "1", raw=kinds.raw, echo=kinds.echo, total=kinds.total, uneven=kinds.uneven,
     half=kinds.half, checked=kinds.checked)
"""


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """A folder MODELS with half_plus_two/00000123, versions/1 and /2, sentiment/1 and kinds/1."""
    root = tmp_path_factory.mktemp("models")
    # In a process of its own: building leaves variables and functions behind that loading must not find.
    done = subprocess.run([sys.executable, "-c", BUILD, str(root)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return root


@pytest.fixture(scope="session")
def store(models):
    """half_plus_two, versions (the latest), sentiment and kinds, loaded into this process."""
    from keras_ft.serving.models import ModelStore

    names = ["half_plus_two", "versions", "sentiment", "kinds"]
    store = ModelStore([models / name for name in names], labels={"versions": {"stable": 2}})
    store.load()
    assert [it.state for it in store.versions()] == ["AVAILABLE"] * 4
    yield store
    store.close()


@pytest.fixture(scope="session")
def http(store):
    """A client of the ASGI application that serves the store."""
    from starlette.testclient import TestClient

    from keras_ft.serving.rest import app

    return TestClient(app(store))
