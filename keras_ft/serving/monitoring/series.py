"""The metrics that are ours: their names, labels and buckets, and how they are shown."""

from collections.abc import Iterator, Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.process_collector import ProcessCollector

from keras_ft.serving.monitoring.answer_watch import AnswerWatch

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 2.5, 5.0, 10.0)
ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Series:
    """All of them in a registry of its own; `prometheus_client` adds `_total` to the names of counters."""

    def __init__(self):
        self.registry = registry = CollectorRegistry()

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(name, text, labels, registry=registry)

        def histogram(name: str, text: str, *labels: str, buckets: Sequence[float] = SECONDS) -> Histogram:
            return Histogram(name, text, labels, buckets=buckets, registry=registry)

        def gauge(name: str, text: str, *labels: str) -> Gauge:
            return Gauge(name, text, labels, registry=registry)

        of_version, of_signature = ("model_name", "version", "signature"), ("model_name", "signature")
        self.requests = counter("keras_ft_requests", "Requests answered", *of_version, "api", "code")
        self.rows = counter("keras_ft_rows", "Rows of requests answered well", *of_version)
        self.request_seconds = histogram("keras_ft_request_seconds", "Time in the server", *of_signature, "api")
        self.queue_seconds = histogram("keras_ft_queue_seconds", "Time a request waited for its batch", *of_signature)
        self.run_seconds = histogram("keras_ft_run_seconds", "Time the model took for a batch", *of_signature)
        self.batch_rows = histogram("keras_ft_batch_rows", "Rows of a batch", *of_signature, buckets=ROWS)
        self.queued_rows = gauge("keras_ft_queued_rows", "Rows that wait for a batch", "model_name")
        self.padding_ratio = gauge(
            "keras_ft_padding_ratio", "Padding there would be if a batch were padded to its longest text", "model_name"
        )
        self.model_available = gauge("keras_ft_model_available", "1 while it is served", "model_name", "version")
        self.characters = counter("keras_ft_text_characters", "Unicode characters of texts answered", "model_name")
        self.tokens = counter("keras_ft_tokens", "Tokens of texts looked at, before any cut", "model_name")
        self.samples_dropped = counter(
            "keras_ft_samples_dropped", "Rows not looked at for tokens and drift: too many at once", "model_name"
        )
        ProcessCollector(registry=registry)

    def forget_version(self, model: str, version: int) -> None:
        """Drop the series of a version."""
        for metric in (self.requests, self.rows, self.model_available):
            metric.remove_by_labels({"model_name": model, "version": str(version)})

    def forget_model(self, model: str) -> None:
        """Drop all series of a model."""
        for metric in vars(self).values():
            if isinstance(metric, Counter | Gauge | Histogram):
                metric.remove_by_labels({"model_name": model})

    def render(self) -> bytes:
        """Prometheus' text format."""
        return generate_latest(_WithoutCreated(self.registry))


class DriftCollector:
    """Indices, computed when they are read.

    Arguments:
        watch: knows them.
    """

    def __init__(self, watch: AnswerWatch):
        self._watch = watch

    def collect(self) -> Iterator[Metric]:
        """`keras_ft_drift_psi` and `keras_ft_drift_values`, by model, version and quantity."""
        labels = ["model_name", "version", "of"]
        index = GaugeMetricFamily("keras_ft_drift_psi", "Population stability index against validation", labels=labels)
        seen = GaugeMetricFamily("keras_ft_drift_values", "Values that the index is made of", labels=labels)
        for (model, version), drift in sorted(self._watch.drifts().items()):
            for name, window in drift.windows.items():
                index.add_metric([model, str(version), name], window.psi)
                seen.add_metric([model, str(version), name], float(window.counts.sum()))
        yield index
        yield seen


class _WithoutCreated:
    """A registry without the times at which series began, which make a good part of the text and are not read."""

    def __init__(self, registry: CollectorRegistry):
        self._registry = registry

    def collect(self) -> Iterator[Metric]:
        for metric in self._registry.collect():
            metric.samples = [it for it in metric.samples if not it.name.endswith("_created")]
            yield metric
