"""The gRPC services, asked with TF Serving's official stubs; texts of the errors are those of its sources."""

import shutil

import grpc
import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import text_format
from grpc_health.v1 import health_pb2, health_pb2_grpc
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    input_pb2,
    model_management_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
    regression_pb2,
)
from tensorflow_serving.config import model_server_config_pb2

from keras_ft.serving.background import BackgroundServer
from keras_ft.serving.rpc.tensor_protos import to_proto

NAMES = ("half_plus_two", "sentiment", "kinds", "examples")


@pytest.fixture(scope="module")
def folder(models, tmp_path_factory):
    folder = tmp_path_factory.mktemp("served")
    for name in (*NAMES, "versions"):
        shutil.copytree(models / name, folder / name)
    return folder


@pytest.fixture(scope="module")
def channel(folder):
    with (
        BackgroundServer([folder / name for name in NAMES], "--grpc-port", "0") as server,
        grpc.insecure_channel(server.grpc_address) as channel,
    ):
        yield channel


@pytest.fixture
def predict(channel):
    stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)

    def ask(name: str, signature: str = "", output_filter=(), version=None, label=None, **inputs) -> dict:
        request = predict_pb2.PredictRequest(output_filter=output_filter)
        request.model_spec.name, request.model_spec.signature_name = name, signature
        if version is not None:
            request.model_spec.version.value = version
        if label is not None:
            request.model_spec.version_label = label
        for key, value in inputs.items():
            request.inputs[key].CopyFrom(tf.make_tensor_proto(value))
        response = stub.Predict(request, timeout=20)
        assert response.model_spec.name == name
        assert response.model_spec.signature_name == (signature or "serving_default")
        return {key: tf.make_ndarray(proto) for key, proto in response.outputs.items()}

    return ask


@pytest.fixture
def stub(channel):
    return prediction_service_pb2_grpc.PredictionServiceStub(channel)


@pytest.fixture
def model_service(channel):
    return model_service_pb2_grpc.ModelServiceStub(channel)


def fails(call, code: str, message: str) -> None:
    with pytest.raises(grpc.RpcError) as error:
        call()
    assert (error.value.code().name, error.value.details()) == (code, message)


def examples(*values: float) -> input_pb2.Input:
    made = input_pb2.Input()
    for value in values:
        made.example_list.examples.add().features.feature["x"].float_list.value.append(value)
    return made


def test_predict_takes_and_gives_named_tensors_of_every_kind(predict):
    assert predict("half_plus_two", x=np.array([1, 2, 5], np.float32))["y"].tolist() == [2.5, 3.0, 4.5]
    assert predict("half_plus_two", x=np.float32(3))["y"].tolist() == 3.5
    found = predict("sentiment", text_=["good", "坏 bad", ""])
    assert found["label"].tolist() == [b"good", b"bad", b"bad"]
    assert found["scores"].shape == (3, 3)
    assert found["truncated"].dtype == bool
    assert predict("kinds", "half", a=np.float32([1.5]))["y"].dtype == np.float16
    assert predict("kinds", "raw", text_=[b"\xff\x00"])["echo_bytes"].tolist() == [b"\xff\x00"]
    assert sorted(predict("kinds", output_filter=["sum"], a=np.float32([1]), b=np.int32([2]))) == ["sum"]


RECORDED = (  # what TF Serving's Python client sends: half_plus_two, serving_default, x = [1, 2, 5]
    "0a200a0d68616c665f706c75735f74776f1a0f73657276696e675f64656661756c74"
    "121b0a017812160801120412020803220c0000803f000000400000a040"
)
ANSWER = """
outputs { key: "y" value { dtype: DT_FLOAT tensor_shape { dim { size: 3 } } float_val: [2.5, 3, 4.5] } }
model_spec { name: "half_plus_two" version { value: 123 } signature_name: "serving_default" }
"""


def test_a_recorded_predict_call_is_answered_to_the_last_field(channel):
    raw = channel.unary_unary("/tensorflow.serving.PredictionService/Predict")  # bytes in and out
    found = predict_pb2.PredictResponse.FromString(raw(bytes.fromhex(RECORDED), timeout=20))
    assert found == text_format.Parse(ANSWER, predict_pb2.PredictResponse())


@pytest.mark.parametrize(
    ("array", "field"),
    [
        (np.float32([[1, 2], [3, 4]]), "float_val"),
        (np.float32(3), "float_val"),
        (np.zeros((0, 3), np.float32), "float_val"),
        (np.float64([1e300]), "double_val"),
        (np.array([b"a", b"\xff"], object), "string_val"),
        (np.array(["é"]), "string_val"),
        (np.float16([1.5, -2]), "half_val"),
        (np.array([1.5, -3], tf.bfloat16.as_numpy_dtype), "half_val"),
        (np.array([True, False]), "bool_val"),
        (np.int8([-3]), "int_val"),
        (np.uint8([250]), "int_val"),
        (np.int64([2**62]), "int64_val"),
        (np.uint64([2**63]), "uint64_val"),
    ],
)
def test_values_lie_in_the_field_of_their_type(array, field):
    proto = to_proto(array)
    assert len(getattr(proto, field)) == array.size
    assert not proto.tensor_content
    found = tf.make_ndarray(proto)
    assert found.shape == array.shape
    assert found.tolist() == (np.char.encode(array) if array.dtype.kind == "U" else array).tolist()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ({"name": ""}, "INVALID_ARGUMENT", "ModelSpec has no name specified."),
        ({"name": "no"}, "NOT_FOUND", "Servable not found for request: Latest(no)"),
        ({"name": "kinds", "version": 7}, "NOT_FOUND", "Servable not found for request: Specific(kinds, 7)"),
        ({"name": "kinds", "label": "new"}, "INVALID_ARGUMENT", "Unrecognized servable version label: new"),
        ({"name": "kinds", "signature": "no"}, "FAILED_PRECONDITION", 'Serving signature key "no" not found.'),
        (
            {"name": "half_plus_two", "z": np.float32([1])},
            "INVALID_ARGUMENT",
            "input tensor alias not found in signature: z. Inputs expected to be in the set {x}.",
        ),
        (
            {"name": "half_plus_two"},
            "INVALID_ARGUMENT",
            "input size does not match signature: 0!=1 len({}) != len({x}). Sent extra: {}. Missing but required: {x}.",
        ),
        (
            {"name": "half_plus_two", "x": np.float32([1]), "output_filter": ["z"]},
            "INVALID_ARGUMENT",
            "output tensor alias not found in signature: z Outputs expected to be in the set {y}.",
        ),
        (
            {"name": "half_plus_two", "x": np.float32([1]), "output_filter": ["y", "y"]},
            "INVALID_ARGUMENT",
            "duplicate output tensor alias: y",
        ),
    ],
)
def test_what_is_wrong_with_a_predict_request_is_said_in_tf_servings_words(predict, arguments, code, message):
    fails(lambda: predict(**arguments), code, message)


def test_a_tensor_whose_shape_and_values_differ_or_that_is_too_large_is_refused(stub):
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "half_plus_two"
    tensor = request.inputs["x"]
    tensor.dtype, tensor.tensor_content = tf.float32.as_datatype_enum, b"abc"
    tensor.tensor_shape.dim.add(size=2)
    fails(lambda: stub.Predict(request), "INVALID_ARGUMENT", "tensor parsing error: x")
    tensor.tensor_content, tensor.float_val[:] = b"", [1.0]
    tensor.tensor_shape.dim.add(size=10**12)
    fails(lambda: stub.Predict(request), "INVALID_ARGUMENT", "tensor parsing error: x is larger than 1024 MiB")
    tensor.dtype = 99
    fails(lambda: stub.Predict(request), "INVALID_ARGUMENT", "tensor parsing error: x")


def test_classify_and_regress_answer_examples(stub):
    request = classification_pb2.ClassificationRequest(input=examples(1, 2))
    request.model_spec.name, request.model_spec.signature_name = "examples", "classify_labels"
    response = stub.Classify(request)
    found = [[(it.label, it.score) for it in row.classes] for row in response.result.classifications]
    assert found == [[("half", 2.5), ("plus", 3.5)], [("half", 3.0), ("plus", 4.0)]]
    assert (response.model_spec.signature_name, response.model_spec.version.value) == ("classify_labels", 1)
    request = regression_pb2.RegressionRequest(input=examples(1, 2))
    request.model_spec.name, request.model_spec.signature_name = "examples", "regress_x_to_y"
    assert [it.value for it in stub.Regress(request).result.regressions] == [2.5, 3.0]
    request.input.Clear()
    fails(lambda: stub.Regress(request), "INVALID_ARGUMENT", "Input is empty.")
    request = regression_pb2.RegressionRequest(input=examples(1))
    request.model_spec.name = "examples"
    wrong = (
        "Expected regression signature method_name to be tensorflow/serving/regress. Was: tensorflow/serving/predict"
    )
    fails(lambda: stub.Regress(request), "INVALID_ARGUMENT", wrong)


def tasks(*asked: tuple[str, str, str]) -> inference_pb2.MultiInferenceRequest:
    request = inference_pb2.MultiInferenceRequest(input=examples(2))
    for name, signature, method in asked:
        task = request.tasks.add(method_name=f"tensorflow/serving/{method}")
        task.model_spec.name, task.model_spec.signature_name = name, signature
    return request


def test_multi_inference_asks_several_signatures_at_once(stub):
    both = tasks(("examples", "regress_x_to_y", "regress"), ("examples", "classify_labels", "classify"))
    first, second = stub.MultiInference(both).results
    assert [it.value for it in first.regression_result.regressions] == [3.0]
    assert [it.score for it in second.classification_result.classifications[0].classes] == [3.0, 4.0]
    assert second.model_spec.signature_name == "classify_labels"
    twice = tasks(*[("examples", "regress_x_to_y", "regress")] * 2)
    fails(lambda: stub.MultiInference(twice), "INVALID_ARGUMENT", "Duplicate evaluation of signature: regress_x_to_y")
    two = tasks(("examples", "regress_x_to_y", "regress"), ("kinds", "raw", "regress"))
    message = "All ModelSpecs in a MultiInferenceRequest must access the same model name."
    fails(lambda: stub.MultiInference(two), "INVALID_ARGUMENT", message)
    other = tasks(("examples", "regress_x_to_y", "predict"))
    message = "Unsupported signature method_name: tensorflow/serving/predict"
    fails(lambda: stub.MultiInference(other), "UNIMPLEMENTED", message)


def test_metadata_are_the_signatures(stub):
    request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    request.model_spec.name = "kinds"
    response = stub.GetModelMetadata(request)
    found = get_model_metadata_pb2.SignatureDefMap()
    assert response.metadata["signature_def"].Unpack(found)
    assert "echo" in found.signature_def
    assert response.model_spec.version.value == 1
    del request.metadata_field[:]
    message = "GetModelMetadataRequest must specify at least one metadata_field"
    fails(lambda: stub.GetModelMetadata(request), "INVALID_ARGUMENT", message)
    request.metadata_field.append("graph")
    fails(lambda: stub.GetModelMetadata(request), "INVALID_ARGUMENT", "Metadata field graph is not supported")


def test_models_come_and_go_by_a_reload_and_tell_their_states(model_service, predict, folder, channel):
    def status(name):
        request = get_model_status_pb2.GetModelStatusRequest()
        request.model_spec.name = name
        return [
            (it.version, it.state, it.status.error_code)
            for it in model_service.GetModelStatus(request).model_version_status
        ]

    available = get_model_status_pb2.ModelVersionStatus.AVAILABLE
    assert status("half_plus_two") == [(123, available, 0)]
    fails(lambda: status("versions"), "NOT_FOUND", "Could not find any versions of model versions")
    request = model_management_pb2.ReloadConfigRequest()
    for name in (*NAMES, "versions"):
        config = request.config.model_config_list.config.add(name=name, base_path=str(folder / name))
        config.model_platform = "tensorflow"
    config.model_version_policy.all.SetInParent()
    config.version_labels["stable"] = 1
    model_service.HandleReloadConfigRequest(request, timeout=60)
    assert status("versions") == [(2, available, 0), (1, available, 0)]
    assert predict("versions", x=np.float32([2]))["y"].tolist() == [4.0]
    assert predict("versions", label="stable", x=np.float32([2]))["y"].tolist() == [3.0]
    health = health_pb2_grpc.HealthStub(channel)
    assert health.Check(health_pb2.HealthCheckRequest(service="versions")).status == 1
    del request.config.model_config_list.config[-1]
    model_service.HandleReloadConfigRequest(request, timeout=60)
    fails(lambda: status("versions"), "NOT_FOUND", "Could not find any versions of model versions")
    request.config.Clear()
    message = (
        "ServerModelConfig type not supported by HandleReloadConfigRequest. Only ModelConfigList is currently supported"
    )
    fails(lambda: model_service.HandleReloadConfigRequest(request), "INVALID_ARGUMENT", message)
    text = 'model_config_list { config { name: "x" base_path: "/none" model_platform: "pytorch" } }'
    from google.protobuf import text_format

    request.config.CopyFrom(text_format.Parse(text, model_server_config_pb2.ModelServerConfig()))
    message = "model x: model_platform should be tensorflow, given 'pytorch'"
    fails(lambda: model_service.HandleReloadConfigRequest(request), "INVALID_ARGUMENT", message)


def test_health_is_the_standard_services(channel):
    health = health_pb2_grpc.HealthStub(channel)
    for service in ("", "tensorflow.serving.PredictionService", "kinds"):
        assert health.Check(health_pb2.HealthCheckRequest(service=service)).status == 1
    fails(lambda: health.Check(health_pb2.HealthCheckRequest(service="x")), "NOT_FOUND", "unknown service x")
    watch = health.Watch(health_pb2.HealthCheckRequest())
    assert next(watch).status == 1
    watch.cancel()


def test_a_tensor_of_another_rank_is_refused_before_it_reaches_the_graph(stub):
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "sentiment"
    request.inputs["text_"].dtype = tf.string.as_datatype_enum  # a scalar, which kills the tokenizer's operation
    fails(lambda: stub.Predict(request), "INVALID_ARGUMENT", "input text_ should have the shape [?], but has []")
    request.inputs["text_"].CopyFrom(tf.make_tensor_proto([["good"]]))
    fails(lambda: stub.Predict(request), "INVALID_ARGUMENT", "input text_ should have the shape [?], but has [1, 1]")


def test_strings_that_a_shape_asks_for_and_no_value_gives_are_empty(stub):
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "sentiment"
    request.inputs["text_"].dtype = tf.string.as_datatype_enum
    request.inputs["text_"].tensor_shape.dim.add(size=2)
    assert len(stub.Predict(request).outputs["label"].string_val) == 2


def mutated(raw: bytes, places: list[int], values: list[int]) -> bytes:
    changed = bytearray(raw)
    for place, value in zip(places, values, strict=False):
        changed[place % len(changed)] = value
    return bytes(changed)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=8), st.lists(st.integers(0, 255), min_size=8, max_size=8))
def test_mutated_messages_are_refused_or_answered(channel, places, values):
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "sentiment"
    request.inputs["text_"].CopyFrom(tf.make_tensor_proto(["good", "bad 好"]))
    raw = channel.unary_unary("/tensorflow.serving.PredictionService/Predict")
    code, details = outcome(lambda: raw(mutated(request.SerializeToString(), places, values), timeout=20))
    # gRPC's own words for bytes that are no message
    is_no_message = code == "UNKNOWN" and "DecodeError" in details
    assert is_no_message or code in ("OK", "INVALID_ARGUMENT", "NOT_FOUND", "FAILED_PRECONDITION")


def outcome(call) -> tuple[str, str]:
    try:
        call()
    except grpc.RpcError as error:
        return error.code().name, error.details()
    return "OK", ""
