"""What a model's batches are counted with."""

import threading
from collections.abc import Sequence

from keras_ft.serving.monitoring.series import Series
from keras_ft.serving.monitoring.tf_serving_metrics import TFServingMetrics

FORGET = 0.99  # of the padding of the batches before, at each batch


class BatchMetrics:
    """Counts a model's batches; a `keras_ft.serving.monitoring.observed.BatchObserver`.

    Arguments:
        series, tf_serving: the server's.
        model: its name.
        thread_pool_name: of the batching parameters.
    """

    def __init__(self, series: Series, tf_serving: TFServingMetrics, model: str, thread_pool_name: str):
        self._series, self._tf_serving = series, tf_serving
        self._model, self._pool = model, thread_pool_name
        self._lock = threading.Lock()
        self._real = self._slots = 0.0

    def batch(
        self,
        signature: str,
        rows: int,
        requests: int,
        queue_seconds: Sequence[float],
        run_seconds: float,
        lengths: Sequence[int] = (),
    ) -> None:
        """See `BatchObserver`; TF Serving's runtime latency is that of waiting and running, under `API="Predict"`."""
        series, counted, labels = self._series, self._tf_serving, (self._model, signature)
        series.run_seconds.labels(*labels).observe(run_seconds)
        series.batch_rows.labels(*labels).observe(rows)
        counted.graph_runs.add()
        counted.graph_run_time_usecs.add(by=round(run_seconds * 1e6))
        for waited in queue_seconds or [0.0] * requests:
            counted.runtime_latency.add(self._model, "Predict", "TF1", sample=(waited + run_seconds) * 1e6)
        for waited in queue_seconds:
            series.queue_seconds.labels(*labels).observe(waited)
            counted.queuing_latency.add(self._pool, sample=waited * 1e6)
        if queue_seconds:
            counted.processed_batch_size.add(sample=rows)
            counted.wrapped_run_count.add()
        if len(lengths):
            with self._lock:
                self._real = FORGET * self._real + sum(lengths)
                self._slots = FORGET * self._slots + len(lengths) * max(lengths)
                ratio = 1.0 - self._real / self._slots if self._slots else 0.0
            series.padding_ratio.labels(self._model).set(ratio)
