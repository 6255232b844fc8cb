"""Run by `verify` as a script, in a process of its own that imports tensorflow, tensorflow_text and numpy alone.

It loads a SavedModel through a Session, as TF Serving's C++ code does, runs the recorded inputs, times the model,
and prints one JSON object.

    python session_check.py MODELS/NAME/N < inputs.json
"""

import gc
import json
import sys
import time

if __name__ == "__main__":
    gc.disable()  # it would look through what TensorFlow's import makes, again and again; this process soon ends
    for unused in ("sklearn", "matplotlib", "pandas", "IPython", "jax"):
        sys.modules[unused] = None  # type: ignore[assignment]  # Keras, which TensorFlow imports, looks for them

import numpy as np
import tensorflow as tf
import tensorflow_text  # noqa: F401  (registers its ops)

BATCH_SIZES = (1, 32)
REPEATS = 20
LONGEST = 3.0  # seconds


def check(folder: str, requests: dict) -> dict:
    """Answers of every requested signature, timings, and the names of all ops.

    Args:
        folder: the SavedModel.
        requests: signature name → input name → list of strings, of lists of them, or of numbers.
    """
    with tf.compat.v1.Session(graph=tf.Graph()) as session:
        meta_graph = tf.compat.v1.saved_model.load(session, ["serve"], folder)
        report: dict = {"ops": op_names(meta_graph.graph_def), "answers": {}, "milliseconds": {}}
        for name, columns in requests.items():
            signature = meta_graph.signature_def[name]
            outputs = {key: tensor.name for key, tensor in signature.outputs.items()}
            feed = {signature.inputs[key].name: array(signature.inputs[key], texts) for key, texts in columns.items()}
            answers = session.run(outputs, feed)
            report["answers"][name] = {key: plain(value) for key, value in answers.items()}
            if name == "serving_default":
                report["milliseconds"] = {str(size): time_batch(session, outputs, feed, size) for size in BATCH_SIZES}
        report["matmul_milliseconds"] = {t: time_matmul(t) for t in ("float32", "bfloat16")}
    return report


def array(info, values: list) -> np.ndarray:
    """What an input is fed with: numbers, strings, or lists of strings, the shorter ones filled up with empty ones."""
    dtype = tf.as_dtype(info.dtype)
    if dtype != tf.string:
        return np.array(values, dtype.as_numpy_dtype)
    if len(info.tensor_shape.dim) < 2:
        return np.array(values, object)
    longest = max(map(len, values))
    return np.array([texts + [""] * (longest - len(texts)) for texts in values], object)


def op_names(graph_def) -> list[str]:
    """Every op of the graph and of its functions."""
    nodes = list(graph_def.node) + [node for f in graph_def.library.function for node in f.node_def]
    functions = {f.signature.name for f in graph_def.library.function}
    return sorted({node.op for node in nodes} - functions)


def plain(values: np.ndarray):
    """Nested lists that JSON can hold."""
    if values.dtype == object and values.size:
        values = np.vectorize(lambda b: b.decode("utf-8"), otypes=[object])(values)
    return values.tolist()


def time_batch(session, outputs: dict, feed: dict, size: int) -> float:
    """Median milliseconds of a request of `size` examples."""
    resized = {tensor: np.resize(texts, (size, *texts.shape[1:])) for tensor, texts in feed.items()}
    seconds: list[float] = []
    while len(seconds) < REPEATS + 2 and (len(seconds) < 3 or sum(seconds) < LONGEST):
        start = time.perf_counter()
        session.run(outputs, resized)
        seconds.append(time.perf_counter() - start)
    return round(1000 * float(np.median(seconds[min(2, len(seconds) - 1) :])), 3)


def time_matmul(dtype: str) -> float:
    """Median milliseconds of a matrix product of the encoder's kind in one type on this machine."""
    with tf.compat.v1.Session(graph=tf.Graph()) as session:
        left = tf.compat.v1.get_variable("left", dtype=dtype, initializer=tf.ones([512, 768], dtype))
        right = tf.compat.v1.get_variable("right", dtype=dtype, initializer=tf.ones([768, 768], dtype))
        product = tf.reduce_sum(tf.cast(tf.matmul(left, right), tf.float32))
        session.run(tf.compat.v1.global_variables_initializer())
        seconds = []
        for _ in range(REPEATS):
            start = time.perf_counter()
            session.run(product)
            seconds.append(time.perf_counter() - start)
    return round(1000 * float(np.median(seconds[2:])), 3)


if __name__ == "__main__":
    print(json.dumps(check(sys.argv[1], json.load(sys.stdin))))
