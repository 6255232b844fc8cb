"""Classify and regress over REST: requests of TF Serving's documentation and sources, and its exact answers.

`doc` g3doc/api_rest.md, `json` util/json_tensor.cc, `classifier` and `regressor` servables/tensorflow.
"""

import json

import pytest

MODEL = "/v1/models/examples"
RESULTS = [
    # doc: a list of numbers
    ("regress", '{"signature_name": "regress_x_to_y", "examples": [{"x": 1.0}, {"x": 2.0}]}', '{\n    "results": [2.5, 3.0]\n}'),
    # json: values may be lists; true and false are whole numbers
    ("regress", '{"signature_name": "regress_x_to_y", "examples": [{"x": [80.0], "extra": [1, 2, true]}]}', '{\n    "results": [42.0]\n}'),
    # doc: a context is common to all examples
    ("regress", '{"signature_name": "regress_x_to_y", "context": {"x2": 1.5}, "examples": [{"x": 1.0}]}', '{\n    "results": [2.5]\n}'),
    # doc: a list of [label, score] pairs an example
    (
        "classify", '{"signature_name": "classify_labels", "examples": [{"x": 1.0}, {"x": 2.0}]}',
        '{\n    "results": [[["half", 2.5], ["plus", 3.5]], [["half", 3.0], ["plus", 4.0]]\n    ]\n}',
    ),
    # classifier: scores alone
    ("classify", '{"signature_name": "classify_x_to_y", "examples": [{"x": 1.0}]}', '{\n    "results": [[["", 2.5]]\n    ]\n}'),
]  # fmt: skip

ERRORS = [
    ("regress", {"examples": [{"x": 1.0}]}, "Expected regression signature method_name to be tensorflow/serving/regress. Was: tensorflow/serving/predict"),
    ("classify", {"signature_name": "regress_x_to_y", "examples": [{"x": 1.0}]}, "Expected classification signature method_name to be tensorflow/serving/classify. Was: tensorflow/serving/regress"),
    ("classify", {"signature_name": "no", "examples": [{"x": 1.0}]}, "No signature was found with the name: no"),
    ("classify", {"signature_name": "classify_flat", "examples": [{"x": 1.0}]}, "Expected Tensor shape: [batch_size num_classes] but got [1]"),
    ("regress", {"examples": [1]}, "Example must be JSON object but got JSON Number"),
    ("regress", {"examples": [{"x": None}]}, "Feature: x has element with unexpected JSON type: Null"),
    ("regress", {"examples": [{"x": [[1.0]]}]}, "Feature: x has element with unexpected JSON type: Array"),
    ("regress", {"examples": [{"x": {"y": 1}}]}, "Feature: x has element with unexpected JSON type: Object"),
    ("regress", {"examples": [{"x": [1.0, "a"]}]}, "Unexpected element type in feature: x expecting type: float"),
    ("regress", {"examples": [{"x": [1, 1.5]}]}, "Unexpected element type in feature: x expecting type: int64"),
    ("regress", {"examples": [{"x": 2**63}]}, "Feature: x has uint64 element. Only int64 is supported."),
    ("regress", {"examples": [{"x": 1e39}]}, "Cannot convert JSON value: 1e+39 to float without loss of precision."),
    ("regress", {"examples": [{"x": {"b64": "*"}}]}, "Unable to base64 decode"),
]  # fmt: skip


@pytest.mark.parametrize(("verb", "body", "expected"), RESULTS)
def test_results_are_tf_servings(http, verb, body, expected):
    answer = http.post(f"{MODEL}:{verb}", content=body)
    assert (answer.status_code, answer.text) == (200, expected)


@pytest.mark.parametrize(("verb", "request_", "message"), ERRORS)
def test_errors_are_tf_servings(http, verb, request_, message):
    answer = http.post(f"{MODEL}:{verb}", content=json.dumps(request_))
    assert (answer.status_code, answer.json()) == (400, {"error": message})


def test_an_example_that_lacks_a_feature_is_refused_by_the_graph(http):
    answer = http.post(f"{MODEL}:regress", content='{"signature_name": "regress_x_to_y", "examples": [{"z": 1.0}]}')
    assert answer.status_code == 400
    assert "Feature: x (data type: float) is required but could not be found" in answer.json()["error"]
