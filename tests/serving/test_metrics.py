import math
import re
import threading
from pathlib import Path

import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

from keras_ft.errors import RequestError
from keras_ft.serving.monitoring.file import DEFAULT_PATH, Monitoring, read_monitoring
from keras_ft.serving.monitoring.metrics import ServerMetrics
from keras_ft.serving.monitoring.observed import ObservedPredictor, byte_lengths
from keras_ft.serving.monitoring.tf_serving_metrics import Sampler, exponential

# What TF Serving printed for one sample of 340650 in a histogram of Exponential(10, 1.8, 33).
BOUNDS_OF_TF_SERVING = [
    "10",
    "18",
    "32.4",
    "58.32",
    "104.976",
    "188.957",
    "340.122",
    "612.22",
    "1102",
    "1983.59",
    "3570.47",
    "6426.84",
    "11568.3",
    "20823",
    "37481.3",
    "67466.4",
    "121440",
    "218591",
    "393464",
    "708235",
    "1.27482e+06",
    "2.29468e+06",
    "4.13043e+06",
    "7.43477e+06",
    "1.33826e+07",
    "2.40887e+07",
    "4.33596e+07",
    "7.80473e+07",
    "1.40485e+08",
    "2.52873e+08",
    "4.55172e+08",
    "8.19309e+08",
    "1.47476e+09",
    "+Inf",
]


@pytest.fixture
def metrics():
    made = ServerMetrics()
    made.loaded("tiny", 1, 2.5, "/models/tiny/1", ["serving_default", "classification"], warm_up_seconds=0.25)
    yield made
    made.close()


def samples(metrics):
    """(name, labels) → value, as a Prometheus server would read them."""
    found = {}
    for family in text_string_to_metric_families(metrics.render().decode()):
        for it in family.samples:
            key = (it.name, tuple(sorted(it.labels.items())))
            assert key not in found, f"{key} twice"
            found[key] = it.value
    return found


def value(metrics, name, **labels):
    found, labels = samples(metrics), tuple(sorted(labels.items()))
    return found.get((name, labels), found.get((f"{name}_total", labels)))  # as the parser calls any counter


def predicted(metrics, model="tiny", version=1, signature="", code="OK", api="REST", seconds=0.02, rows=1):
    metrics.request(api, "Predict", model, version, signature, code, seconds, rows)


def test_requests_and_rows_are_counted_by_version_signature_api_and_code(metrics):
    for _ in range(3):
        predicted(metrics, rows=4)
    predicted(metrics, api="GRPC", signature="classification")
    predicted(metrics, code="INVALID_ARGUMENT", rows=7)
    labels = {"model_name": "tiny", "version": "1", "signature": "serving_default"}
    assert value(metrics, "keras_ft_requests_total", **labels, api="REST", code="OK") == 3
    assert value(metrics, "keras_ft_requests_total", **labels, api="REST", code="INVALID_ARGUMENT") == 1
    other = labels | {"signature": "classification"}
    assert value(metrics, "keras_ft_requests_total", **other, api="GRPC", code="OK") == 1
    assert value(metrics, "keras_ft_rows_total", **labels) == 12
    assert value(metrics, ":tensorflow:serving:request_count", model_name="tiny", status="OK") == 4
    assert value(metrics, ":tensorflow:serving:request_count", model_name="tiny", status="INVALID_ARGUMENT") == 1


def test_seconds_fall_into_the_buckets_of_their_bounds(metrics):
    for seconds in (0.0005, 0.2, 0.2001, 60.0):
        predicted(metrics, seconds=seconds)
    labels = {"model_name": "tiny", "signature": "serving_default", "api": "REST"}
    at = {
        le: value(metrics, "keras_ft_request_seconds_bucket", **labels, le=le) for le in ("0.001", "0.2", "0.3", "+Inf")
    }
    assert at == {"0.001": 1, "0.2": 2, "0.3": 3, "+Inf": 4}
    assert value(metrics, "keras_ft_request_seconds_sum", **labels) == pytest.approx(60.4006)


def test_the_text_of_tf_servings_metrics_is_its_own(metrics):
    predicted(metrics, seconds=0.34065)
    lines = metrics.render().decode().splitlines()
    start = ':tensorflow:serving:request_latency_bucket{model_name="tiny",API="predict",entrypoint="REST",le="'
    shown = [line.removeprefix(start).split('"} ') for line in lines if line.startswith(start)]
    assert [bound for bound, _ in shown] == BOUNDS_OF_TF_SERVING
    assert [int(count) for _, count in shown] == [0] * 18 + [1] * 16
    assert "# TYPE :tensorflow:serving:request_count counter" in lines
    assert ':tensorflow:serving:request_count{model_name="tiny",status="OK"} 1' in lines
    assert ':tensorflow:cc:saved_model:load_attempt_count{model_path="/models/tiny/1",status="success"} 1' in lines
    assert ':tensorflow:cc:saved_model:load_latency{model_path="/models/tiny/1"} 2500000' in lines
    assert ':tensorflow:serving:model_warmup_latency_count{model_path="/models/tiny/1",status="OK"} 1' in lines


def test_a_value_on_a_bound_counts_above_it_as_in_tensorflow():
    sampler = Sampler("/tensorflow/x", bounds=exponential(1, 2, 3))
    for sample in (1, 2, 3):
        sampler.add(sample=sample)
    assert sampler.render().splitlines()[1:] == [
        ':tensorflow:x_bucket{le="1"} 0',
        ':tensorflow:x_bucket{le="2"} 1',
        ':tensorflow:x_bucket{le="4"} 3',
        ':tensorflow:x_bucket{le="+Inf"} 3',
        ":tensorflow:x_sum{} 6",
        ":tensorflow:x_count{} 3",
    ]


def test_tf_serving_counts_other_things_over_grpc_than_over_rest(metrics):
    latency = ":tensorflow:serving:request_latency_count"
    predicted(metrics, api="GRPC", code="NOT_FOUND")
    assert value(metrics, latency, model_name="tiny", API="Predict", entrypoint="GRPC") is None  # only good answers
    predicted(metrics, api="REST", code="NOT_FOUND")
    assert value(metrics, latency, model_name="tiny", API="predict", entrypoint="REST") == 1
    for api in ("GRPC", "REST"):
        metrics.request(api, "GetModelStatus", "tiny", 1, "", "OK", 0.001, 0)
    assert value(metrics, latency, model_name="tiny", API="", entrypoint="REST") == 1
    assert value(metrics, latency, model_name="tiny", API="", entrypoint="GRPC") is None
    assert value(metrics, ":tensorflow:serving:request_count", model_name="tiny", status="OK") == 1
    metrics.request("GRPC", "Classify", "tiny", 1, "", "OK", 0.001, 5)
    assert value(metrics, ":tensorflow:serving:request_example_count_total", model="tiny") == 5


def test_batches_are_counted_with_their_waiting_and_padding(metrics):
    observer = metrics.observer("tiny", "my_threads")
    observer.batch("serving_default", 3, 2, [0.004, 0.03], 0.05, [10, 10, 40])
    labels = {"model_name": "tiny", "signature": "serving_default"}
    assert value(metrics, "keras_ft_queue_seconds_bucket", **labels, le="0.005") == 1
    assert value(metrics, "keras_ft_queue_seconds_count", **labels) == 2
    assert value(metrics, "keras_ft_run_seconds_sum", **labels) == pytest.approx(0.05)
    assert value(metrics, "keras_ft_batch_rows_bucket", **labels, le="4.0") == 1
    assert value(metrics, "keras_ft_batch_rows_bucket", **labels, le="2.0") == 0
    assert value(metrics, "keras_ft_padding_ratio", model_name="tiny") == pytest.approx(0.5)
    runtime = {"model_name": "tiny", "API": "Predict", "runtime": "TF1"}
    assert value(metrics, ":tensorflow:serving:runtime_latency_sum", **runtime) == pytest.approx(134_000)
    queuing = ":tensorflow:serving:batching_session:queuing_latency_count"
    assert value(metrics, queuing, thread_pool_name="my_threads") == 2
    assert value(metrics, ":tensorflow:core:graph_runs") == 1


def test_a_predictor_without_batching_reports_each_run(metrics):
    class Echo:
        signatures, signature_defs = {"serving_default": "a signature"}, {}
        closed = False

        def predict(self, signature_name, inputs):
            return {"text": inputs["text"]}

        def close(self):
            self.closed = True

    inner = Echo()
    predictor = ObservedPredictor(inner, metrics.observer("tiny"))
    assert predictor.signatures == inner.signatures
    texts = np.array([b"one", b"seventeen"], object)
    assert predictor.predict("", {"text": texts})["text"] is texts
    labels = {"model_name": "tiny", "signature": "serving_default"}
    assert value(metrics, "keras_ft_batch_rows_sum", **labels) == 2
    assert value(metrics, "keras_ft_run_seconds_count", **labels) == 1
    assert value(metrics, "keras_ft_queue_seconds_count", **labels) is None
    assert value(metrics, "keras_ft_padding_ratio", model_name="tiny") == pytest.approx(1 - 12 / 18)
    predictor.close()
    assert inner.closed


def test_a_request_without_rows_is_a_batch_of_none(metrics):
    observer = metrics.observer("tiny")
    inputs = {"text": np.zeros((0,), object), "turns": np.zeros((0, 3), object)}
    assert byte_lengths(inputs) == []
    observer.batch("serving_default", 0, 1, [0.001], 0.01, byte_lengths(inputs))
    metrics.answered("tiny", 1, "/models/tiny/1", "serving_default", inputs, {"label": np.zeros((0,), object)})
    labels = {"model_name": "tiny", "signature": "serving_default"}
    assert value(metrics, "keras_ft_run_seconds_count", **labels) == 1
    assert value(metrics, "keras_ft_batch_rows_sum", **labels) == 0
    assert byte_lengths({"turns": np.array([[b"a", b"bc"], [b"", b"d"]], object)}) == [3, 1]


def test_queued_rows_are_read_when_metrics_are(metrics):
    waiting = [5]
    metrics.queued("tiny", 1, lambda: waiting[0])
    assert value(metrics, "keras_ft_queued_rows", model_name="tiny") == 5
    waiting[0] = 9
    assert value(metrics, "keras_ft_queued_rows", model_name="tiny") == 9
    metrics.queued("tiny", 2, lambda: 3)
    assert value(metrics, "keras_ft_queued_rows", model_name="tiny") == 12
    metrics.unloaded("tiny", 2)
    assert value(metrics, "keras_ft_queued_rows", model_name="tiny") == 9
    waiting.clear()  # a batcher that is gone must not take the page with it
    assert math.isnan(value(metrics, "keras_ft_queued_rows", model_name="tiny"))


def test_what_clients_make_up_adds_no_series(metrics):
    predicted(metrics, code="INVALID_ARGUMENT", signature="wrong")
    predicted(metrics, model="wrong", version=None, code="NOT_FOUND")
    metrics.request("REST", "wrong", "wrong", 3, "", "OK", 0.1, 0)
    before = set(samples(metrics))
    for i in range(3000):
        predicted(metrics, model=f"model{i}", version=i, signature=f"s{i}", code="NOT_FOUND")
        predicted(metrics, version=i, signature=f's{i}"\n', code="INVALID_ARGUMENT")
        metrics.request(f"API{i}", f"method{i}", f"model{i}", i, f"s{i}", f"CODE{i}", 0.1, 1)
    added = {it for it in set(samples(metrics)) - before if "UNKNOWN" not in str(it)}
    assert {dict(labels).get("version") for name, labels in added} <= {"", None}
    assert len(added) < 40
    labels = {"model_name": "", "version": "", "signature": "", "api": "REST", "code": "NOT_FOUND"}
    assert value(metrics, "keras_ft_requests_total", **labels) == 3001


def test_version_swaps_leave_memory_flat(metrics):
    def swap(number):
        metrics.loaded("tiny", number + 1, 0.1, f"/models/tiny/{number + 1}", ["serving_default"])
        metrics.load_failed("tiny", number + 1000, f"/models/tiny/{number + 1000}")
        predicted(metrics, version=number + 1)
        metrics.unloaded("tiny", number)

    for number in range(1, 6):
        swap(number)
    lines = len(metrics.render().splitlines())
    for number in range(6, 60):
        swap(number)
    assert len(metrics.render().splitlines()) == lines
    available = {labels: it for (name, labels), it in samples(metrics).items() if name == "keras_ft_model_available"}
    assert {dict(labels)["version"]: it for labels, it in available.items()} == {"60": 1, "1059": 0}


def test_a_model_that_went_takes_its_series_with_it(metrics):
    predicted(metrics)
    metrics.observer("tiny").batch("serving_default", 1, 1, [0.1], 0.1, [3])
    metrics.queued("tiny", 1, lambda: 1)
    metrics.unloaded("tiny", 1)
    for version in (1, 2):
        metrics.loaded("other", version, 0.1, f"/models/other/{version}")
        metrics.unloaded("other", version)
    ours = [labels for name, labels in samples(metrics) if name.startswith("keras_ft")]
    assert ("model_name", "tiny") not in {pair for labels in ours for pair in labels}


def test_names_are_those_that_rules_and_dashboards_ask_for(metrics):
    text = metrics.render().decode()
    names = "requests_total request_seconds queue_seconds run_seconds batch_rows queued_rows rows_total"
    names += (
        " text_characters_total tokens_total padding_ratio drift_psi drift_values model_available samples_dropped_total"
    )
    for name in names.split():
        assert f"# TYPE keras_ft_{name} " in text, name
    assert "_created" not in text
    assert "process_resident_memory_bytes " in text


def test_the_page_names_what_there_is(metrics):
    page = (Path(__file__).parents[2] / "docs" / "monitoring.md").read_text(encoding="utf-8")
    shown = set(re.findall(r"^# TYPE (\S+)", metrics.render().decode(), re.MULTILINE))
    named = set(re.findall(r"`((?:keras_ft|process|:tensorflow)[\w:]*)`", page))
    assert named <= shown
    assert {name for name in shown if name.startswith("keras_ft")} <= named


def test_counts_of_many_threads_add_up(metrics):
    def work():
        for _ in range(500):
            predicted(metrics)

    threads = [threading.Thread(target=work) for _ in range(8)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert value(metrics, ":tensorflow:serving:request_count", model_name="tiny", status="OK") == 4000


def test_a_monitoring_file_of_tf_serving_is_read(tmp_path):
    path = tmp_path / "monitoring.config"
    path.write_text('# metrics\nprometheus_config {\n  enable: true\n  path: "/metrics"\n}\n')
    assert read_monitoring(path) == Monitoring(True, "/metrics")
    path.write_text("prometheus_config: { enable: true }")
    assert read_monitoring(path) == Monitoring(True, DEFAULT_PATH)
    path.write_text("")
    assert read_monitoring(path) == Monitoring(False, DEFAULT_PATH)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"prometheus_config { enabled: true }", 'no field named "enabled"'),
        (b"prometheus_config { enable: true", "monitoring.config: 1:"),
        (b'prometheus_config { enable: true path: "metrics" }', '"metrics" is no path'),
        (b'prometheus_config { enable: true path: "/v1/models" }', "is no path of its own"),
        (b"\xff\xfe", "is no text file"),
        (None, "cannot be read"),
    ],
)
def test_a_wrong_monitoring_file_is_refused_in_one_line(tmp_path, content, said):
    path = tmp_path / "monitoring.config"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(RequestError, match="monitoring.config") as error:
        read_monitoring(path)
    assert said in str(error.value)
    assert "\n" not in str(error.value)
    assert DEFAULT_PATH in str(error.value)
