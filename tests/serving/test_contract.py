"""Requests and the exact answers TensorFlow Serving gives to them.

Each case says which source fixes it: `handler` http_rest_api_handler.cc and its test, `util` http_rest_api_util.cc,
`json` util/json_tensor.cc and its test, `doc` g3doc/api_rest.md, `predict` servables/tensorflow/predict_util.cc,
`classifier`/`regressor` the files of that name, `core` server_core.cc, `status` get_model_status_impl.cc, `manager`
core/basic_manager.cc and core/manager.h, `reader` rapidjson/reader.h and error/en.h, `evhttp` util/net_http and libevent.
"""

import gzip
import json
from pathlib import Path

import pytest

from keras_ft.serving.rest.http_app import OPEN_PATHS

HALF = "/v1/models/half_plus_two"
KINDS = "/v1/models/kinds"
FAILED = "Failed to process element: {} of 'instances' list. Error: INVALID_ARGUMENT: "

PREDICTIONS = [
    # doc: curl example
    (f"{HALF}:predict", '{"instances": [1.0, 2.0, 5.0]}', '{\n    "predictions": [2.5, 3.0, 4.5\n    ]\n}'),
    # handler test, Predict: the model takes any rank
    (f"{HALF}:predict", '{"instances": [[1.0, 2.0], [3.0, 4.0]]}', '{\n    "predictions": [[2.5, 3.0], [3.5, 4.0]\n    ]\n}'),
    # handler test: version, signature name, columnar
    (f"{HALF}/versions/123:predict", '{"signature_name": "serving_default", "inputs": [3.0, 4.0]}', '{\n    "outputs": [\n        3.5,\n        4.0\n    ]\n}'),
    # json test: an empty signature name is the default one; unknown keys are ignored
    (f"{HALF}:predict", '{"signature_name": "", "instances": [2], "extra": {}}', '{\n    "predictions": [3.0\n    ]\n}'),
    # json: a scalar may only be asked for by column
    (f"{HALF}:predict", '{"inputs": 3.0}', '{\n    "outputs": 3.5\n}'),
    # json test: a single input may be named
    (f"{HALF}:predict", '{"instances": [{"x": 2.0}]}', '{\n    "predictions": [3.0\n    ]\n}'),
    (f"{HALF}:predict", '{"inputs": {"x": [2.0]}}', '{\n    "outputs": [\n        3.0\n    ]\n}'),
    # json: NaN and infinities are read and written (doc: JSON conformance)
    (f"{HALF}:predict", '{"instances": [NaN, Infinity, -Infinity, Inf]}', '{\n    "predictions": [NaN, Infinity, -Infinity, Infinity\n    ]\n}'),
    # json, WriteDecimal: six digits where they read back, else nine; .0 for whole numbers; e as printf writes it
    (f"{HALF}:predict", '{"instances": [0.1, 0.333, 4e-5, 2e9, 1.9e12]}', '{\n    "predictions": [2.05, 2.1665, 2.00002, 1e+09, 9.5e+11\n    ]\n}'),
    # util: the name is percent-decoded, the path is not case-sensitive but for name and verb
    ("/V1/MODELS/half%5Fplus_two:predict", '{"instances": [2.0]}', '{\n    "predictions": [3.0\n    ]\n}'),
    # core: a label stands for a version
    ("/v1/models/versions/labels/stable:predict", '{"instances": [2.0]}', '{\n    "predictions": [4.0\n    ]\n}'),
    # json, MakeRowFormatJsonFromTensors: several outputs make objects
    (
        f"{KINDS}:predict",
        '{"instances": [{"a": 1.5, "b": 2}, {"a": 1, "b": -1}]}',
        '{\n    "predictions": [\n        {\n            "product": 3.0,\n            "sum": 3.5\n        },\n'
        '        {\n            "product": -1.0,\n            "sum": 0.0\n        }\n    ]\n}',
    ),
    (
        f"{KINDS}:predict",
        '{"inputs": {"a": [1.5], "b": [2]}}',
        '{\n    "outputs": {\n        "product": [\n            3.0\n        ],\n        "sum": [\n            3.5\n        ]\n    }\n}',
    ),
    # json: b64 in; an output named *_bytes comes back as b64, any other as a string
    (
        f"{KINDS}:predict",
        '{"signature_name": "raw", "instances": [{"b64": "/w=="}, "é"]}',
        '{\n    "predictions": [{\n            "b64": "/w=="\n        }, {\n            "b64": "w6k="\n        }\n    ]\n}',
    ),
    (f"{KINDS}:predict", '{"signature_name": "echo", "instances": [{"b64": "aGk"}, "\\u00e9\\n"]}', '{\n    "predictions": ["hi", "é\\n"\n    ]\n}'),
]  # fmt: skip

ERRORS = [
    # handler test, UnsupportedApiCalls
    ("GET", "/v1/foo", "", 400, "Malformed request: GET /v1/foo"),
    ("POST", "/v1/foo", "", 400, "Malformed request: POST /v1/foo"),
    ("POST", "/v1/models", "", 400, "Malformed request: POST /v1/models"),
    ("GET", "/v1/models", "", 400, "Missing model name in request."),
    ("GET", "/v1/models/foo:predict", "", 400, "Malformed request: GET /v1/models/foo:predict"),
    ("POST", "/v1/models/foo/version/50:regress", "", 400, "Malformed request: POST /v1/models/foo/version/50:regress"),
    ("POST", "/v1/models/foo/versions/HELLO:regress", "", 400, "Malformed request: POST /v1/models/foo/versions/HELLO:regress"),
    ("POST", "/v1/models/foo/metadata", "", 400, "Malformed request: POST /v1/models/foo/metadata"),
    ("PUT", HALF, "", 400, f"Malformed request: PUT {HALF}"),
    ("DELETE", f"{HALF}:predict", "", 400, f"Malformed request: DELETE {HALF}:predict"),
    ("POST", f"{HALF}:PREDICT", "{}", 400, f"Malformed request: POST {HALF}:PREDICT"),
    # evhttp: the path is matched with its query
    ("POST", f"{HALF}:predict?x=1", "{}", 400, f"Malformed request: POST {HALF}:predict?x=1"),
    ("GET", f"{HALF}?x=1", "", 404, "Could not find any versions of model half_plus_two?x=1"),
    # doc: curl example; manager
    ("POST", "/v1/models/half:predict", '{"instances": [1.0,5.0]}', 404, "Servable not found for request: Latest(half)"),
    ("POST", f"{HALF}/versions/99:predict", '{"instances": [1.0]}', 404, "Servable not found for request: Specific(half_plus_two, 99)"),
    ("GET", "/v1/models/half/metadata", "", 404, "Servable not found for request: Latest(half)"),
    # status
    ("GET", "/v1/models/half", "", 404, "Could not find any versions of model half"),
    ("GET", f"{HALF}/versions/7", "", 404, "Could not find version 7 of model half_plus_two"),
    # core
    ("POST", f"{HALF}/labels/nope:predict", '{"instances": [1.0]}', 400, "Unrecognized servable version label: nope"),
    ("GET", f"{HALF}/labels/nope/metadata", "", 400, "Unrecognized servable version label: nope"),
    # handler, GetInfoMap
    ("POST", f"{HALF}:predict", '{"signature_name": "no", "instances": [1.0]}', 400, 'Serving signature name: "no" not found in signature def'),
    # json, ParseJson; the text is read before the model is looked for
    ("POST", "/v1/models/half:predict", "", 400, "JSON Parse error: The document is empty"),
    ("POST", f"{HALF}:predict", "", 400, "JSON Parse error: The document is empty"),
    ("POST", f"{HALF}:predict", "instances = [1, 2]", 400, "JSON Parse error: Invalid value. at offset: 0"),
    ("POST", f"{HALF}:predict", '{"instances": [1.0,]}', 400, "JSON Parse error: Invalid value. at offset: 19"),
    ("POST", f"{HALF}:predict", '{"instances": [1e999]}', 400, "JSON Parse error: Number too big to be stored in double. at offset: 15"),
    # rapidjson: half a surrogate pair, also where the signature is named and where a pair stands beside it
    ("POST", "/v1/models/sentiment:predict", '{"instances": ["\\ud83d\\ude00 \\ud83d"]}', 400, "JSON Parse error: The surrogate pair in string is invalid. at offset: 29"),
    ("POST", "/v1/models/sentiment:predict", '{"signature_name": "\\udc00", "instances": [""]}', 400, "JSON Parse error: The surrogate pair in string is invalid. at offset: 20"),
    ("POST", f"{HALF}:predict", "[1.0]", 400, "JSON Value: [\n    1.0\n] Is not object"),
    # json, FillSignature
    ("POST", f"{HALF}:predict", '{"signature_name": 100}', 400, 'JSON Value: {\n    "signature_name": 100\n} not formatted correctly. \'signature_name\' key must be a string value.'),
    # json, FillPredictRequestFromJson
    ("POST", f"{HALF}:predict", "{}", 400, "Missing 'inputs' or 'instances' key"),
    ("POST", f"{HALF}:predict", '{"instances": []}', 400, 'JSON Value: {\n    "instances": []\n} No values in \'instances\' array'),
    ("POST", f"{HALF}:predict", '{"instances": 1}', 400, 'JSON Value: {\n    "instances": 1\n} Excepting \'instances\' to be an list/array'),
    (
        "POST", f"{HALF}:predict", '{"instances": [1], "inputs": [1]}', 400,
        'JSON Value: {\n    "instances": [\n        1\n    ],\n    "inputs": [\n        1\n    ]\n} '
        "Not formatted correctly expecting only one of 'inputs' or 'instances' keys to exist ",
    ),
    # json, AddValueToTensor
    ("POST", f"{HALF}:predict", '{"instances": [1, "x"]}', 400, FAILED.format(1) + 'JSON Value: "x" Type: String is not of expected type: float'),
    ("POST", f"{HALF}:predict", '{"instances": [true]}', 400, FAILED.format(0) + "JSON Value: true Type: True is not of expected type: float"),
    ("POST", f"{HALF}:predict", '{"instances": [null]}', 400, FAILED.format(0) + "JSON Value: null Type: Null is not of expected type: float"),
    ("POST", f"{HALF}:predict", '{"instances": [{"b64": "aGk="}]}', 400, FAILED.format(0) + 'JSON Value: {\n    "b64": "aGk="\n} Type: Object is not of expected type: float'),
    ("POST", f"{HALF}:predict", '{"inputs": [16777216]}', 400, "Cannot convert JSON value: 16777216 to float without loss of precision."),
    ("POST", f"{HALF}:predict", '{"inputs": [1e39]}', 400, "Cannot convert JSON value: 1e+39 to float without loss of precision."),
    ("POST", f"{KINDS}:predict", '{"inputs": {"a": [1], "b": [1.0]}}', 400, "JSON Value: 1.0 Type: Number is not of expected type: int32"),
    ("POST", f"{KINDS}:predict", '{"inputs": {"a": [1], "b": [2147483648]}}', 400, "JSON Value: 2147483648 Type: Number is not of expected type: int32"),
    ("POST", f"{KINDS}:predict", '{"signature_name": "echo", "instances": [1]}', 400, FAILED.format(0) + "JSON Value: 1 Type: Number is not of expected type: string"),
    ("POST", f"{KINDS}:predict", '{"signature_name": "echo", "inputs": [{"b64": "*"}]}', 400, "Unable to base64 decode"),
    # json, FillTensorProto and AddInstanceItem: what is not rectangular
    ("POST", f"{HALF}:predict", '{"instances": [[1, 2], [1]]}', 400, FAILED.format(1) + "Expecting tensor size: 2 but got: 1"),
    ("POST", f"{HALF}:predict", '{"instances": [[[1], [2]], [[1, 2]]]}', 400, FAILED.format(1) + "Expecting shape [2,1] but got: [1,2]"),
    ("POST", f"{HALF}:predict", '{"inputs": [[1, 2], [1]]}', 400, "Encountered list at unexpected size: 1 at level: 1 expected size: 2"),
    ("POST", f"{HALF}:predict", '{"inputs": [1, [2]]}', 400, "Encountered list at unexpected level: 1 expected < 1"),
    ("POST", f"{HALF}:predict", '{"inputs": [[1], 2]}', 400, "JSON Value: 2 found at incorrect level: 2 in the JSON DOM. Expected at level: 2"),
    # json, FillTensorMapFromInstancesList
    ("POST", f"{HALF}:predict", '{"instances": [1, {"x": 1}]}', 400, "Expecting value/list but got object at item 1 of input list"),
    ("POST", f"{HALF}:predict", '{"instances": [{"x": 1}, [1]]}', 400, "Expecting object but got list at item 1 of input list"),
    (
        "POST", f"{HALF}:predict", '{"instances": [{"z": 1}]}', 400,
        "Failed to process element: 0 key: z of 'instances' list. Error: INVALID_ARGUMENT: JSON object: does not have named input: z",
    ),
    (
        "POST", f"{KINDS}:predict", '{"instances": [{"a": 1}]}', 400,
        "Failed to process element: 0 of 'instances' list. JSON object: {\n    \"a\": 1\n} keys must be equal to: a,b",
    ),
    (
        "POST", f"{KINDS}:predict", '{"instances": [1, 2]}', 400,
        "instances is a plain list, but expecting list of objects as multiple input tensors required as per tensorinfo_map",
    ),
    # json, FillTensorMapFromInputsMap
    (
        "POST", f"{KINDS}:predict", '{"inputs": [1, 2]}', 400,
        "inputs is a plain value/list, but expecting an object as multiple input tensors required as per tensorinfo_map",
    ),
    ("POST", f"{KINDS}:predict", '{"inputs": {"a": [1]}}', 400, "Missing named input: b in 'inputs' object."),
    # predict: the inputs of a request and of the signature differ in number
    (
        "POST", f"{KINDS}:predict", '{"instances": [{"b64": ""}]}', 400,
        FAILED.format(0) + 'JSON Value: {\n    "b64": ""\n} Type: Object is not of expected type: float',
    ),
    # json, MakeRowFormatJsonFromTensors
    ("POST", f"{KINDS}:predict", '{"signature_name": "total", "instances": [1, 2]}', 400, "Tensor name: total has no shape information "),
    ("POST", f"{KINDS}:predict", '{"signature_name": "uneven", "instances": [1, 2]}', 400, "Tensor name: first has inconsistent batch size: 1 expecting: 2"),
    # json, AddSingleValueAndAdvance
    ("POST", f"{KINDS}:predict", '{"signature_name": "half", "instances": [1]}', 400, "Failed to write JSON value for tensor type: half"),
    # classifier, regressor; json, FillClassifyRegressRequestFromJson
    ("POST", f"{HALF}:classify", '{"examples": [{"x": 1}]}', 400, "Expected classification signature method_name to be tensorflow/serving/classify. Was: tensorflow/serving/predict"),
    ("POST", f"{HALF}:regress", '{"examples": [{"x": 1}]}', 400, "Expected regression signature method_name to be tensorflow/serving/regress. Was: tensorflow/serving/predict"),
    ("POST", f"{HALF}:regress", '{"signature_name": "no", "examples": [{}]}', 400, "No signature was found with the name: no"),
    ("POST", f"{HALF}:regress", "{}", 400, "JSON Value: {} When method is classify, key 'examples' is expected and was not found"),
    ("POST", f"{HALF}:classify", '{"examples": 1}', 400, 'JSON Value: {\n    "examples": 1\n} Expecting \'examples\' value to be an list/array'),
    ("POST", f"{HALF}:classify", '{"examples": []}', 400, 'JSON Value: {\n    "examples": []\n} \'examples\' value is an empty array'),
    ("POST", f"{HALF}:classify", '{"examples": [1]}', 400, "Example must be JSON object but got JSON Number"),
]  # fmt: skip


def goes_on(http):
    answer = http.post(f"{HALF}:predict", content='{"instances": [1.0]}')
    return answer.status_code == 200 and answer.json() == {"predictions": [2.5]}


@pytest.mark.parametrize(("path", "body", "expected"), PREDICTIONS)
def test_predict_answers_as_tf_serving_to_the_byte(http, path, body, expected):
    answer = http.post(path, content=body.encode())
    assert (answer.status_code, answer.text) == (200, expected)
    assert answer.headers["content-type"] == "application/json"
    assert goes_on(http)


@pytest.mark.parametrize(("method", "path", "body", "status", "message"), ERRORS)
def test_a_wrong_request_gets_tf_servings_status_and_words(http, method, path, body, status, message):
    answer = http.request(method, path, content=body.encode())
    assert (answer.status_code, answer.json()) == (status, {"error": message})
    assert answer.text.startswith('{\n    "error": "')
    assert answer.headers["content-type"] == "application/json"
    assert goes_on(http)


def test_status_lists_the_loaded_versions(http):
    # doc: curl example; only the latest of two versions is loaded
    expected = {"version": "2", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
    for path in ("/v1/models/versions", "/v1/models/versions/versions/2", "/v1/models/versions/labels/stable"):
        answer = http.get(path)
        assert (answer.status_code, answer.json()) == (200, {"model_version_status": [expected]})
    assert http.get(HALF).text == (
        '{\n "model_version_status": [\n  {\n   "version": "123",\n   "state": "AVAILABLE",\n   "status": {\n'
        '    "error_code": "OK",\n    "error_message": ""\n   }\n  }\n ]\n}\n'
    )
    assert http.get("/v1/models/versions/versions/1").status_code == 404


def test_metadata_describes_every_signature(http):
    answer = http.get(f"{KINDS}/versions/1/metadata").json()  # util, ToJsonString
    assert answer["model_spec"] == {"name": "kinds", "signature_name": "", "version": "1"}
    signatures = answer["metadata"]["signature_def"]["signature_def"]
    assert sorted(signatures) == ["checked", "echo", "half", "raw", "serving_default", "total", "uneven"]
    default = signatures["serving_default"]
    assert default["method_name"] == "tensorflow/serving/predict"
    assert default["inputs"]["b"] == {
        "dtype": "DT_INT32",
        "tensor_shape": {"dim": [{"size": "-1", "name": ""}], "unknown_rank": False},
        "name": "serving_default_b:0",
    }
    assert sorted(default["outputs"]) == ["product", "sum"]


def test_a_version_beyond_64_bits_is_refused_with_an_empty_body(http):
    # handler, ProcessRequest returns before it writes the error
    answer = http.post(f"{HALF}/versions/18446744073709551615:predict", content="{}")
    assert (answer.status_code, answer.content) == (400, b"")


def test_outside_v1_libevent_answers(http):
    answer = http.get("/foo")  # evhttp
    assert (answer.status_code, answer.headers["content-type"]) == (404, "text/html")
    assert "<TITLE>404 Not Found</TITLE>" in answer.text
    assert goes_on(http)


def test_a_gzipped_body_is_read(http):
    body = gzip.compress(b'{"instances": [1.0]}')  # evhttp, NeedUncompressGzipContent
    answer = http.post(f"{HALF}:predict", content=body, headers={"content-encoding": "gzip"})
    assert (answer.status_code, answer.json()) == (200, {"predictions": [2.5]})
    answer = http.post(f"{HALF}:predict", content=b"not gzip", headers={"content-encoding": "gzip"})
    assert (answer.status_code, answer.json()) == (400, {"error": "JSON Parse error: The document is empty"})
    assert goes_on(http)


def test_an_error_of_the_graph_is_the_clients_when_it_is_an_invalid_argument(http):
    body = '{"signature_name": "checked", "instances": [-1.0]}'
    answer = http.post(f"{KINDS}:predict", content=body)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("assertion failed: [a must be positive.")
    assert "Original stack trace" not in answer.json()["error"]
    assert goes_on(http)


def test_deep_nesting_and_bytes_that_are_not_utf8_do_no_harm(http):
    deep = b'{"instances": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    assert http.post(f"{HALF}:predict", content=deep).status_code == 400
    rather_deep = b'{"instances": ' + b"[" * 300 + b"1" + b"]" * 300 + b"}"
    assert http.post(f"{HALF}:predict", content=rather_deep).status_code == 400
    answer = http.post(f"{KINDS}:predict", content=b'{"signature_name": "echo", "instances": ["\xff"]}')
    assert (answer.status_code, answer.content) == (200, b'{\n    "predictions": ["\xff"\n    ]\n}')
    assert goes_on(http)


def test_strings_in_every_script_come_back_as_they_went_in(http):
    texts = ["plain", "你好，世界", "नमस्ते १२३", "مرحبا", "👩‍👩‍👧‍👦", 'quo"te\\ / \t \x00', ""]
    body = json.dumps({"signature_name": "echo", "instances": texts})
    assert http.post(f"{KINDS}:predict", content=body).json() == {"predictions": texts}


def test_text_goes_in_and_labels_come_out(http):
    answer = http.post("/v1/models/sentiment:predict", content='{"instances": ["a GOOD day", "b b b b bad"]}').json()
    good, bad = answer["predictions"]
    assert (good["label"], good["labels"], good["truncated"]) == ("good", ["good", "mixed", "bad"], False)
    assert (bad["label"], bad["labels"], bad["truncated"]) == ("bad", ["bad", "mixed", "good"], True)
    assert good["score"] == good["scores"][0] == pytest.approx(0.665241, abs=1e-6)


def test_the_openapi_document_names_what_is_answered(http):
    """Every operation exists: with an unknown model it gets no "Malformed request" and no page that is not there."""
    document = json.loads((Path(__file__).resolve().parents[2] / "docs" / "openapi.json").read_text(encoding="utf-8"))
    served = [it for it in document["paths"].items() if it[0].startswith("/v1/") or it[0] in OPEN_PATHS]
    assert len(served) == 16
    for path, operations in served:
        for method in operations:
            target = path.format(model="nobody", version=1, label="stable")
            answer = http.request(method.upper(), target, content="{}" if method == "post" else None)
            assert str(answer.status_code) in operations[method]["responses"], (target, answer.text)
            assert "Malformed" not in answer.text
