import shutil
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from keras_ft.serving.models.config import configs_of_folders
from keras_ft.serving.models.session_model import WARM_UP_FILE, SessionModel
from keras_ft.serving.models.store import ModelStore
from keras_ft.serving.signature import TensorSpec
from keras_ft.serving.status import StatusError


@pytest.fixture
def kinds(predictor_of):
    return predictor_of("kinds")


def write_warm_up(folder, requests):
    import tensorflow as tf
    from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

    path = folder / WARM_UP_FILE
    path.parent.mkdir()
    with tf.io.TFRecordWriter(str(path)) as writer:
        for signature_name, inputs in requests:
            log = PredictionLog()
            log.predict_log.request.model_spec.signature_name = signature_name
            for name, value in inputs.items():
                log.predict_log.request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
            writer.write(log.SerializeToString())


def test_signatures_name_their_tensors(kinds):
    signature = kinds.signatures["serving_default"]
    assert signature.method == "tensorflow/serving/predict"
    assert signature.inputs == {
        "a": TensorSpec("serving_default_a:0", "float", (None,)),
        "b": TensorSpec("serving_default_b:0", "int32", (None,)),
    }
    assert kinds.signatures["raw"].outputs["echo_bytes"].dtype == "string"


def test_many_threads_get_their_own_answers(kinds):
    def ask(i):
        inputs = {"a": np.full(3, i, np.float32), "b": np.arange(3, dtype=np.int32)}
        return kinds.predict("", inputs)["sum"].tolist() == [i, i + 1, i + 2]

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(ask, range(200)))


@pytest.mark.parametrize(
    ("signature", "names", "message"),
    [
        ("no", ["a", "b"], 'Serving signature key "no" not found.'),
        (
            "",
            ["a"],
            "input size does not match signature: 1!=2 len({a}) != len({a,b}). Sent extra: {}. Missing but required: {b}.",
        ),
        ("", ["a", "z"], "input tensor alias not found in signature: z. Inputs expected to be in the set {a,b}."),
    ],
)
def test_wrong_names_are_told_in_tf_servings_words(kinds, signature, names, message):
    # predict_util.cc
    with pytest.raises(StatusError) as error:
        kinds.predict(signature, {name: np.ones(1, np.float32) for name in names})
    assert error.value.message == message


def test_a_broken_saved_model_is_an_error_of_its_version_alone(models, tmp_path):
    for name in ("empty", "garbage", "no_values"):
        shutil.copytree(models / "half_plus_two", tmp_path / name)
    (tmp_path / "empty" / "00000123" / "saved_model.pb").write_bytes(b"")
    (tmp_path / "garbage" / "00000123" / "saved_model.pb").write_bytes(b"garbage")
    shutil.rmtree(tmp_path / "no_values" / "00000123" / "variables")
    store = ModelStore(configs_of_folders([tmp_path / name for name in ("empty", "garbage", "no_values")]))
    store.update()
    assert [it.state for it in store.versions()] == ["END"] * 3
    assert all(it.error_code != "OK" and it.error_message for it in store.versions())


def test_warm_up_replays_every_request(models, tmp_path):
    folder = shutil.copytree(models / "half_plus_two" / "00000123", tmp_path / "1")
    write_warm_up(folder, [("", {"x": [1.0]}), ("pairs", {"x": [[1.0, 2.0]]})])
    model = SessionModel(folder)
    asked = []
    model.predict = lambda name, inputs: asked.append((name, inputs["x"].tolist()))
    assert model.warm_up() == 2
    assert asked == [("", [1.0]), ("pairs", [[1.0, 2.0]])]
    model.close()


@pytest.mark.parametrize("kind", ["no record file", "no proto", "wrong input"])
def test_a_wrong_warm_up_file_keeps_the_version_from_being_served(models, tmp_path, kind):
    import tensorflow as tf

    folder = shutil.copytree(models / "half_plus_two" / "00000123", tmp_path / "m" / "1")
    if kind == "wrong input":
        write_warm_up(folder, [("", {"z": [1.0]})])
    else:
        (folder / WARM_UP_FILE).parent.mkdir()
        (folder / WARM_UP_FILE).write_bytes(b"these bytes are no records at all")
    if kind == "no proto":
        with tf.io.TFRecordWriter(str(folder / WARM_UP_FILE)) as writer:
            writer.write(b"\xff\xff")
    store = ModelStore(configs_of_folders([folder]))
    store.update()
    assert store.versions()[0].state == "END"
    assert store.versions()[0].error_message


def test_a_closed_model_refuses_requests(models):
    model = SessionModel(models / "half_plus_two" / "00000123")
    model.close()
    with pytest.raises(StatusError, match="CANCELLED"):
        model.predict("", {"x": np.ones(1, np.float32)})
