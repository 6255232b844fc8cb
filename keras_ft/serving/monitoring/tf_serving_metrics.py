"""TF Serving's own metrics, with the names, labels, buckets and text of its `/monitoring/prometheus/metrics`.

Dashboards made for TF Serving then work here too. The names are those of TF Serving 2.20 (servables/tensorflow/util.cc,
batching/batching_session.cc, saved_model_warmup_util.cc) and TensorFlow (cc/saved_model/loader.cc,
core/framework/metrics.cc); the text is that of util/prometheus_exporter.cc: every character of `/tensorflow/serving/…`
that a metric's name may not have becomes a colon, counters have no `_total`, and bounds have six digits
(`le="1.27482e+06"`). `prometheus_client` can print none of the three.
"""

import threading
from bisect import bisect_right
from collections.abc import Sequence

MOST_SERIES = 512


class _Metric:
    """Series by label values; past 512 of them the oldest goes, whatever clients send."""

    kind: str

    def __init__(self, path: str, *labels: str):
        self.name = "".join(c if c.isascii() and (c.isalnum() or c == "_") else ":" for c in path)
        self.labels = labels
        self._lock = threading.Lock()
        self._series: dict[tuple[str, ...], list[float]] = {}

    def remove(self, *values: str) -> None:
        """Forget a series, if there is one."""
        with self._lock:
            self._series.pop(values, None)

    def render(self) -> str:
        """The lines of the metric."""
        with self._lock:
            series = [(values, list(found)) for values, found in self._series.items()]
        lines = [f"# TYPE {self.name} {self.kind}"]
        for values, found in sorted(series):
            lines += self._lines(
                [f'{name}="{_escaped(it)}"' for name, it in zip(self.labels, values, strict=True)], found
            )
        return "".join(f"{line}\n" for line in lines)

    def _found(self, values: tuple[str, ...], size: int) -> list[float]:
        series = self._series.get(values)
        if series is None:
            if len(self._series) >= MOST_SERIES:
                self._series.pop(next(iter(self._series)))
            series = self._series[values] = [0] * size
        return series

    def _lines(self, labels: list[str], found: list[float]) -> list[str]:
        raise NotImplementedError


class Counter(_Metric):
    """A number that only grows.

    Arguments:
        path: `/tensorflow/…`, as TensorFlow calls it.
        labels: names.
    """

    kind = "counter"

    def add(self, *values: str, by: int = 1) -> None:
        """Count for these label values."""
        with self._lock:
            self._found(values, 1)[0] += by

    def _lines(self, labels: list[str], found: list[float]) -> list[str]:
        return [f"{self.name}{{{','.join(labels)}}} {found[0]:.0f}"]


class Sampler(_Metric):
    """A histogram; a value that equals a bound lies above it, as in TensorFlow.

    Arguments:
        path: `/tensorflow/…`, as TensorFlow calls it.
        labels: names.
        bounds: rising, without the infinite one.
    """

    kind = "histogram"

    def __init__(self, path: str, *labels: str, bounds: Sequence[float]):
        super().__init__(path, *labels)
        self.bounds = list(bounds)

    def add(self, *values: str, sample: float) -> None:
        """Count a sample for these label values."""
        place = bisect_right(self.bounds, sample)
        with self._lock:
            series = self._found(values, len(self.bounds) + 2)
            series[place] += 1
            series[-1] += sample

    def _lines(self, labels: list[str], found: list[float]) -> list[str]:
        before, total, lines = "".join(f"{label}," for label in labels), 0, []
        for bound, count in zip([*(f"{it:.6g}" for it in self.bounds), "+Inf"], found[:-1], strict=True):
            total += int(count)
            lines.append(f'{self.name}_bucket{{{before}le="{bound}"}} {total}')
        named = f"{{{','.join(labels)}}}"
        return [*lines, f"{self.name}_sum{named} {found[-1]!r}", f"{self.name}_count{named} {total}"]


def exponential(scale: float, growth: float, count: int) -> list[float]:
    """TensorFlow's `Buckets::Exponential`."""
    return [scale * growth**i for i in range(count)]


class TFServingMetrics:
    """The metrics that this server can fill."""

    def __init__(self):
        serving, loading, core = "/tensorflow/serving", "/tensorflow/cc/saved_model", "/tensorflow/core"
        micros, powers = exponential(10, 1.8, 33), exponential(1, 2, 14)
        batching = f"{serving}/batching_session"
        self.request_count = Counter(f"{serving}/request_count", "model_name", "status")
        self.request_latency = Sampler(f"{serving}/request_latency", "model_name", "API", "entrypoint", bounds=micros)
        self.runtime_latency = Sampler(f"{serving}/runtime_latency", "model_name", "API", "runtime", bounds=micros)
        self.example_counts = Sampler(f"{serving}/request_example_counts", "model", bounds=exponential(1, 2, 15))
        self.example_count_total = Counter(f"{serving}/request_example_count_total", "model")
        self.queuing_latency = Sampler(
            f"{batching}/queuing_latency", "thread_pool_name", bounds=exponential(100, 1.2, 52)
        )
        self.processed_batch_size = Sampler(f"{batching}/processed_batch_size", bounds=powers)
        self.wrapped_run_count = Counter(f"{batching}/wrapped_run_count")
        self.warmup_latency = Sampler(f"{serving}/model_warmup_latency", "model_path", "status", bounds=micros)
        self.load_attempt_count = Counter(f"{loading}/load_attempt_count", "model_path", "status")
        self.load_latency = Counter(f"{loading}/load_latency", "model_path")
        self.graph_runs = Counter(f"{core}/graph_runs")
        self.graph_run_time_usecs = Counter(f"{core}/graph_run_time_usecs")

    def forget_path(self, path: str) -> None:
        """Drop the series of a version's folder."""
        for status in ("success", "fail"):
            self.load_attempt_count.remove(path, status)
        self.warmup_latency.remove(path, "OK")
        self.load_latency.remove(path)

    def render(self) -> str:
        """All of them as text, in the order of their names."""
        return "".join(metric.render() for metric in sorted(vars(self).values(), key=lambda metric: metric.name))


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
