"""Generation in a SavedModel, run through a Session as TF Serving does."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from writing import TYPES, Writing

from keras_ft.generation.forced import ForcedWords
from keras_ft.generation.stop import StopStrings

SERVED_OPS = Path(__file__).resolve().parents[2] / "keras_ft" / "export" / "served_ops.txt"
RULES = {"no_repeat_ngram": 3, "repetition_penalty": 1.2, "min_new_tokens": 2}


def served(writing: Writing):
    """A signature of dense tensors: prompts padded with −1 → texts padded with −1."""

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, None], tf.int32, "prompts"),
            *(tf.TensorSpec([None], dtype, name) for name, dtype in TYPES.items()),
        ],
        autograph=False,
    )
    def serve(prompts, *inputs):
        ragged = tf.RaggedTensor.from_tensor(prompts, padding=-1)
        written = writing.function(ragged, dict(zip(TYPES, inputs, strict=True)))
        return {"ids": written.ids.to_tensor(-1), "score": written.score}

    return serve


@pytest.fixture(scope="module")
def writings(view, reference) -> dict[str, Writing]:
    end_id = reference["end_id"]
    stop = StopStrings(["33", "结束"], tf.constant([f"{number:03d}" for number in range(450)]))
    extras = {"forced": ForcedWords([[5, 6]], end_id), "stop": stop, "banned": [[30], [40, 41]], **RULES}
    return {
        "greedy": Writing(view, end_id, max_new_tokens=70),
        "sample": Writing(view, end_id, do_sample=True, max_new_tokens=40, **extras),
        "beams": Writing(view, end_id, num_beams=3, num_return=2, max_new_tokens=40, **extras),
    }


@pytest.fixture(scope="module")
def saved(writings, backbone_and_config, tmp_path_factory) -> tuple[tf.compat.v1.Session, dict]:
    folder = str(tmp_path_factory.mktemp("saved"))
    module = tf.Module()
    module.weights = [variable.value for variable in backbone_and_config[0].variables]
    tf.saved_model.save(module, folder, {name: served(writing) for name, writing in writings.items()})
    session = tf.compat.v1.Session(graph=tf.Graph())
    with session.graph.as_default():
        model = tf.compat.v1.saved_model.load(session, ["serve"], folder)
    yield session, model
    session.close()


def run(saved, name: str, prompts: list[list[int]], **asked: list) -> tuple[list, list]:
    session, model = saved
    signature = model.signature_def[name]
    padded = np.full((len(prompts), max(map(len, prompts))), -1, "int32")
    for row, prompt in zip(padded, prompts, strict=True):
        row[: len(prompt)] = prompt
    inputs = {name: asked.get(name, [-1] * len(prompts)) for name in TYPES} | {"prompts": padded}
    feeds = {signature.inputs[name].name: value for name, value in inputs.items()}
    ids, score = session.run([signature.outputs[key].name for key in ("ids", "score")], feeds)
    return [[token for token in text if token >= 0] for text in ids.tolist()], score.tolist()


def test_only_ops_that_tensorflow_serving_has(saved):
    definition = saved[1].graph_def
    nodes = [*definition.node, *(node for function in definition.library.function for node in function.node_def)]
    assert len(nodes) > 1000
    functions = {function.signature.name for function in definition.library.function}
    assert {node.op for node in nodes} - functions <= set(SERVED_OPS.read_text("utf-8").split())


@pytest.mark.parametrize("name", ["greedy", "sample", "beams"])
def test_a_session_gives_the_same_texts_again_and_again(saved, writings, prompts, name):
    first, second, third = run(saved, name, prompts), run(saved, name, prompts[:2]), run(saved, name, prompts)
    assert first == third
    assert first[0] == writings[name](prompts)
    assert second[0] == first[0][: len(second[0])]
    assert max(map(len, first[0])) > 5


def test_requests_at_the_same_time_do_not_touch_each_other(saved, reference):
    requests = [
        (name, reference["prompts"][start : start + size])
        for name in ("greedy", "sample", "beams")
        for start, size in ((0, 1), (10, 8), (30, 3), (50, 1))
    ]
    alone = [run(saved, *request) for request in requests]
    with ThreadPoolExecutor(4) as pool:
        at_once = list(pool.map(lambda request: run(saved, *request), requests * 3))
    assert [texts for texts, _ in at_once] == [texts for texts, _ in alone] * 3
    for (_, scores), (_, expected) in zip(at_once, alone * 3, strict=True):
        np.testing.assert_allclose(scores, expected, rtol=1e-4, atol=1e-5)


def test_settings_are_inputs_of_a_session(saved, writings, prompts):
    asked = {"temperature": [0, 1, 2, 1, 0.5, -1], "top_k": [0, 3, -1, 0, 9, 1], "max_new_tokens": [3, 0, -1, 9, 9, 2]}
    assert run(saved, "sample", prompts, **asked)[0] == writings["sample"](prompts, **asked)
    with pytest.raises(tf.errors.InvalidArgumentError, match="top_p should be above 0 and at most 1"):
        run(saved, "sample", prompts, top_p=[0.5, 0.5, 0.5, 0.5, 0.5, 2.0])
