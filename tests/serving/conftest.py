"""Tiny SavedModels, built on the spot from plain tf.Modules, and a server process that serves them."""

import gc
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


def named(*names):
    return [tf.TensorSpec([None], tf.string, name=name) for name in names]


class Labeler(tf.Module):
    # The answers of a classifier, of multilabel and of embedding; an index, and relations given by offsets.
    @tf.function(input_signature=named("text"))
    def __call__(self, text):
        length = tf.cast(tf.strings.length(text, "UTF8_CHAR"), tf.float32)
        labels = tf.tile([["long", "short"]], [tf.size(text), 1])
        scores = tf.stack([length / 10, 1 - length / 10], 1)
        return {"label": labels[:, 0], "score": scores[:, 0], "labels": labels, "scores": scores,
                "predicted": scores > 0.25, "embedding": tf.stack([length, -length, 0 * length], 1),
                "truncated": length > 8}

    @tf.function(input_signature=[*named("text"), tf.TensorSpec([None], tf.int32, name="k")])
    def search(self, text, k):
        wanted = tf.where(k < 0, 3, k)
        most = tf.reduce_max(wanted)
        here = tf.range(most) < wanted[:, None]
        places = tf.broadcast_to(tf.range(most), tf.shape(here))
        ids = tf.where(here, tf.strings.as_string(places), "")
        return {"ids": ids, "texts": tf.where(here, text[:, None] + ids, ""),
                "scores": tf.where(here, 1 / (1 + tf.cast(places, tf.float32)), -1.0), "truncated": k > 8}

    @tf.function(input_signature=[*named("text"), *[tf.TensorSpec([None], tf.int32, name=name) for name in
                                                    ("head_start", "head_end", "tail_start", "tail_end")]])
    def spans(self, text, head_start, head_end, tail_start, tail_end):
        cut = lambda start, end: tf.strings.substr(text, start, end - start, unit="UTF8_CHAR")
        label = cut(head_start, head_end) + ">" + cut(tail_start, tail_end)
        one = tf.ones_like(head_start, tf.float32)
        return {"label": label, "score": one, "labels": label[:, None], "scores": one[:, None], "truncated": one < 0}


class Tagger(tf.Module):
    # Each word is an entity.
    @tf.function(input_signature=named("text"))
    def __call__(self, text_):
        words, starts, ends = text.WhitespaceTokenizer().tokenize_with_offsets(text_)
        code = lambda offsets: offsets.to_tensor(-1)
        label = tf.strings.upper(words).to_tensor("")
        return {"start": code(starts), "end": code(ends), "label": label,
                "score": tf.where(label == "", 0.0, 1.0), "truncated": words.row_lengths() > 4}


class Reader(tf.Module):
    @tf.function(input_signature=named("question", "context"))
    def __call__(self, question, context):
        length = tf.strings.length(question, "UTF8_CHAR")
        return {"answer": tf.strings.substr(context, 0 * length, length, unit="UTF8_CHAR"), "start": 0 * length, "end": length,
                "score": tf.cast(length, tf.float32), "no_answer_score": -tf.cast(length, tf.float32),
                "truncated": length > 8}


class Pairs(tf.Module):
    @tf.function(input_signature=named("text_a", "text_b"))
    def __call__(self, text_a, text_b):
        same = tf.cast(text_a == text_b, tf.float32)
        labels = tf.tile([["same", "other"]], [tf.size(text_a), 1])
        return {"label": labels[:, 0], "score": same, "labels": labels, "scores": tf.stack([same, 1 - same], 1),
                "truncated": same < 0}


ASKED = [tf.TensorSpec([None], dtype, name=name) for name, dtype in (
    ("max_new_tokens", tf.int32), ("temperature", tf.float32), ("top_k", tf.int32), ("top_p", tf.float32),
    ("seed", tf.int32))]


class Writer(tf.Module):
    @tf.function(input_signature=named("prompt"))
    def __call__(self, prompt):
        none = tf.zeros_like(tf.strings.length(prompt))
        return {"text": prompt + "!", "num_tokens": none + 1, "score": tf.cast(none, tf.float32), "truncated": none > 0}

    @tf.function(input_signature=[*named("prompt"), *ASKED])
    def sample(self, prompt, max_new_tokens, temperature, top_k, top_p, seed):
        told = tf.strings.join([tf.strings.as_string(max_new_tokens), tf.strings.as_string(temperature, precision=1),
                                tf.strings.as_string(top_k), tf.strings.as_string(seed)], " ")
        return {"text": told, "num_tokens": max_new_tokens, "score": top_p, "truncated": seed > 0}


class Replier(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([None, None], tf.string, name="turns")])
    def __call__(self, turns):
        none = tf.zeros_like(tf.strings.length(turns[:, 0]))
        return {"text": tf.strings.reduce_join(turns, 1, separator="|"), "num_tokens": none,
                "score": tf.cast(none, tf.float32), "truncated": none > 0}


def save_examples(folder):
    # half_plus_two as TF Serving's own test data have it: also asked with tf.Examples, to classify and to regress.
    v1 = tf.compat.v1
    with v1.Session(graph=tf.Graph()) as session:
        a, b = v1.get_variable("a", initializer=0.5), v1.get_variable("b", initializer=2.0)
        examples = v1.placeholder(tf.string, [None], name="tf_example")
        features = {"x": tf.io.FixedLenFeature([1], tf.float32), "x2": tf.io.FixedLenFeature([1], tf.float32, [0.0])}
        x = tf.identity(v1.io.parse_example(examples, features)["x"], name="x")
        y = tf.add(a * x, b, name="y")
        three = tf.identity(a * x + 3.0)
        labels = tf.tile([["half", "plus"]], [tf.shape(x)[0], 1])
        session.run(v1.global_variables_initializer())
        info = v1.saved_model.utils.build_tensor_info
        signatures = {}
        for name, method, inputs, outputs in [
            ("serving_default", "predict", {"x": x}, {"y": y}),
            ("regress_x_to_y", "regress", {"inputs": examples}, {"outputs": y}),
            ("regress_x_to_y2", "regress", {"inputs": examples}, {"outputs": three}),
            ("classify_x_to_y", "classify", {"inputs": examples}, {"scores": y}),
            ("classify_labels", "classify", {"inputs": examples}, {"classes": labels, "scores": tf.concat([y, three], 1)}),
            ("classify_flat", "classify", {"inputs": examples}, {"scores": y[:, 0]}),
        ]:
            signatures[name] = v1.saved_model.signature_def_utils.build_signature_def(
                {k: info(v) for k, v in inputs.items()},
                {k: info(v) for k, v in outputs.items()},
                f"tensorflow/serving/{method}",
            )
        builder = v1.saved_model.Builder(str(folder))
        builder.add_meta_graph_and_variables(session, ["serve"], signature_def_map=signatures)
        builder.save()


def save(module, folder, **signatures):
    tf.saved_model.save(module, str(folder), signatures={"serving_default": module.__call__, **signatures})


root = Path(sys.argv[1])
two = HalfPlus(2)
save(two, root / "half_plus_two" / "00000123", pairs=two.pairs)
save_examples(root / "examples" / "1")
save(HalfPlus(2), root / "versions" / "1")
save(HalfPlus(3), root / "versions" / "2")
(root / "versions" / "not_a_version").mkdir()
save(Sentiment(), root / "sentiment" / "1")
kinds = Kinds()
save(kinds, root / "kinds" / "1", raw=kinds.raw, echo=kinds.echo, total=kinds.total, uneven=kinds.uneven,
     half=kinds.half, checked=kinds.checked)
labeler, writer = Labeler(), Writer()
save(labeler, root / "labeler" / "1", search=labeler.search, spans=labeler.spans)
save(writer, root / "writer" / "1", sample=writer.sample)
for module in (Tagger(), Reader(), Pairs(), Replier()):
    save(module, root / type(module).__name__.lower() / "1")
"""


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """A folder MODELS with half_plus_two/00000123, versions/1 and /2, sentiment/1, kinds/1 and examples/1, and
    a model a task: labeler, tagger, reader, pairs, writer and replier."""
    root = tmp_path_factory.mktemp("models")
    # In a process of its own: building leaves variables and functions behind that loading must not find.
    done = subprocess.run([sys.executable, "-c", BUILD, str(root)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return root


@pytest.fixture(scope="session")
def store(models):
    """half_plus_two, versions (the latest), sentiment, kinds and examples, loaded into this process."""
    from keras_ft.serving.models.config import ModelConfig
    from keras_ft.serving.models.store import ModelStore

    configs = [ModelConfig(name, str(models / name)) for name in ("half_plus_two", "sentiment", "kinds", "examples")]
    store = ModelStore([*configs, ModelConfig("versions", str(models / "versions"), labels={"stable": 2})])
    store.update()
    assert [it.state for it in store.versions()] == ["AVAILABLE"] * 5
    yield store
    store.close()


@pytest.fixture(scope="session")
def http(store):
    """A client of the ASGI application that serves the store."""
    from concurrent.futures import ThreadPoolExecutor

    from starlette.testclient import TestClient

    from keras_ft.serving.rest.http_app import HttpApp

    return TestClient(HttpApp(store, ThreadPoolExecutor(4)))


@pytest.fixture(scope="session")
def predictor_of(store):
    """Name → the predictor of its latest version, held only while it is looked up: the store outlives all tests."""

    def find(name):
        with store.lease(name) as lease:
            return lease.predictor

    return find


@pytest.fixture(scope="module", autouse=True)
def frozen():
    """As `serve` does: a version that goes is looked for among what came after, not among all of TensorFlow."""
    gc.freeze()
