"""What a server counts, as Prometheus reads it: TF Serving's own metrics, and more by signature, text and drift.

```python
metrics = ServerMetrics()
metrics.loaded("comments", 1, 2.5, folder)
metrics.request("REST", "Predict", "comments", 1, "serving_default", "OK", 0.012, rows=1)
print(metrics.render().decode())
```

Memory stays flat whatever clients send: models, versions and signatures become label values only once they are served.
"""

import math
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from keras_ft.serving.monitoring.answer_watch import ROWS_AT_ONCE, Answered, AnswerWatch, Version
from keras_ft.serving.monitoring.batch_metrics import BatchMetrics
from keras_ft.serving.monitoring.observed import rows_of_texts
from keras_ft.serving.monitoring.series import DriftCollector, Series
from keras_ft.serving.monitoring.text_values import Row, characters_of
from keras_ft.serving.monitoring.tf_serving_metrics import TFServingMetrics
from keras_ft.serving.signature import DEFAULT_SIGNATURE
from keras_ft.serving.status import HTTP_STATUS

COUNTED_BY_TF_SERVING = ("Predict", "Classify", "Regress")  # of what comes over gRPC
WITH_EXAMPLES = ("Classify", "Regress", "MultiInference")
INFERENCE = ("Predict", *WITH_EXAMPLES)
UNLOADED_KEPT = 2


class ServerMetrics:
    """All metrics of a server. Every method may be called from any thread, and none waits for the drift's."""

    content_type = "text/plain; version=0.0.4; charset=utf-8"

    def __init__(self):
        self.series, self.tf_serving = Series(), TFServingMetrics()
        self.watch = AnswerWatch(
            lambda model, tokens: self.series.tokens.labels(model).inc(tokens),
            lambda model, rows: self.series.samples_dropped.labels(model).inc(rows),
        )
        self.series.registry.register(DriftCollector(self.watch))
        self._lock = threading.Lock()
        self._served: dict[Version, str] = {}  # version → its folder
        self._queues: dict[Version, Callable[[], int]] = {}
        self._signatures: dict[str, set[str]] = {}  # model → signatures that it has
        self._unloaded: deque[tuple[Version, str]] = deque()

    def loaded(
        self,
        model: str,
        version: int,
        seconds: float,
        folder: Path | str = "",
        signatures: Sequence[str] = (),
        warm_up_seconds: float | None = None,
    ) -> None:
        """A version is served from now on; called before it gets requests, as it may read the version's tokenizer.

        Arguments:
            model: its name.
            version: its number.
            seconds: of loading.
            folder: of the version; without it, what drift takes is read at the first answer.
            signatures: names; others are known by their first good answer.
            warm_up_seconds: if it was warmed up.
        """
        path = str(folder)
        with self._lock:
            self._served[model, version] = path
            self._signatures.setdefault(model, set()).update(signatures)
        self.watch.serve((model, version), Path(path) if path else None)
        self.series.model_available.labels(model, str(version)).set(1)
        self.tf_serving.load_attempt_count.add(path, "success")
        self.tf_serving.load_latency.add(path, by=round(seconds * 1e6))
        if warm_up_seconds is not None:
            self.tf_serving.warmup_latency.add(path, "OK", sample=warm_up_seconds * 1e6)

    def load_failed(self, model: str, version: int, folder: Path | str = "") -> None:
        """A version could not be loaded, and is not served; its model's name is known from now on."""
        with self._lock:
            self._signatures.setdefault(model, set())
        self.series.model_available.labels(model, str(version)).set(0)
        self.tf_serving.load_attempt_count.add(str(folder), "fail")
        self._note_gone((model, version), str(folder))

    def unloaded(self, model: str, version: int) -> None:
        """A version is served no longer. Its drift goes at once, its counts when two more versions went."""
        with self._lock:
            path = self._served.pop((model, version), "")
            self._queues.pop((model, version), None)
            if not any(name == model for name, _ in self._served):
                self._signatures.pop(model, None)
        self.watch.forget((model, version))
        self.series.model_available.remove_by_labels({"model_name": model, "version": str(version)})
        self._note_gone((model, version), path)

    def request(
        self,
        api: str,
        method: str,
        model: str,
        version: int | None,
        signature: str,
        code: str,
        seconds: float,
        rows: int,
    ) -> None:
        """A request was answered, well or not.

        Arguments:
            api: `REST` or `GRPC`.
            method: `Predict`, `Classify`, `Regress`, `MultiInference`; any other asks for no answer of a model.
            model: as the request named it; one that is not served counts as "".
            version: that answered, None where none did.
            signature: as the request named it; empty means `serving_default`, an unknown one counts as "".
            code: a `StatusError`'s, or `OK`.
            seconds: in the server.
            rows: of the request.
        """
        api, code = ("GRPC" if api == "GRPC" else "REST"), code if code == "OK" or code in HTTP_STATUS else "UNKNOWN"
        model, number, signature = self._known(model, version, signature or DEFAULT_SIGNATURE, code)
        inference = method in INFERENCE
        self._count_for_tf_serving(api, method if inference else "", model, code, seconds, rows)
        if not inference:
            return
        self.series.requests.labels(model, number, signature, api, code).inc()
        self.series.request_seconds.labels(model, signature, api).observe(seconds)
        if code == "OK":
            self.series.rows.labels(model, number, signature).inc(rows)

    def observer(self, model: str, thread_pool_name: str = "batch_threads") -> BatchMetrics:
        """What is told of a model's batches; see `keras_ft.serving.monitoring.observed.BatchObserver`.

        Arguments:
            model: its name.
            thread_pool_name: of the batching parameters.
        """
        return BatchMetrics(self.series, self.tf_serving, model, thread_pool_name)

    def queued(self, model: str, version: int, read: Callable[[], int]) -> None:
        """Show how many rows wait for a version until it is unloaded; read with the metrics, added up by model."""
        with self._lock:
            self._queues[model, version] = read

        def value() -> float:
            with self._lock:
                reads = [read for (name, _), read in self._queues.items() if name == model]
            try:
                return float(sum(read() for read in reads))
            except Exception:  # of a batcher that was closed
                return math.nan

        self.series.queued_rows.labels(model).set_function(value)

    def answered(
        self,
        model: str,
        version: int,
        folder: Path | str,
        signature: str,
        inputs: Mapping[str, np.ndarray],
        outputs: Mapping[str, np.ndarray],
    ) -> None:
        """A model gave an answer: its texts and what it said are counted, in another thread.

        Arguments:
            model, version, folder: of the version.
            signature: its name; whether its answers are comparable is told by its inputs.
            inputs, outputs: of the request, with leading dimension = rows.
        """
        if (model, version) not in self._served:
            return
        texts: dict[str, list[Row]] = rows_of_texts(inputs)
        if not any(texts.values()):
            return
        characters = [sum(map(characters_of, rows)) for rows in zip(*texts.values(), strict=False)]
        self.series.characters.labels(model).inc(sum(characters))
        read = self.watch.outputs_of((model, version), outputs)
        step = -(-len(characters) // ROWS_AT_ONCE)
        if step > 1:  # of a huge request a part will do
            self.series.samples_dropped.labels(model).inc(len(characters) - len(characters[::step]))
            texts = {name: rows[::step] for name, rows in texts.items()}
            characters, read = characters[::step], {name: it[::step] for name, it in read.items() if it.ndim}
        size = 200 + 4 * sum(characters) + 200 * len(characters) + sum(it.nbytes for it in read.values())
        names = frozenset(inputs)
        self.watch.put(Answered((model, version), Path(folder), names, texts, characters, read, size))

    def render(self) -> bytes:
        """All metrics in Prometheus' text format."""
        return self.tf_serving.render().encode() + self.series.render()

    def close(self) -> None:
        """End the thread behind the requests."""
        self.watch.close()

    def _known(self, model: str, version: int | None, signature: str, code: str) -> tuple[str, str, str]:
        """Label values, "" for what is not served."""
        with self._lock:
            signatures = self._signatures.get(model)
            if signatures is None:
                return "", "", ""
            number = str(version) if (model, version) in self._served else ""
            if code == "OK":
                signatures.add(signature)
            return model, number, signature if signature in signatures else ""

    def _count_for_tf_serving(self, api: str, method: str, model: str, code: str, seconds: float, rows: int) -> None:
        """What TF Serving would: over gRPC, only answers of models, and the time of good ones; over REST everything."""
        counted = self.tf_serving
        if api == "REST" or method in COUNTED_BY_TF_SERVING:
            counted.request_count.add(model, code)
        if api == "REST" or (method in COUNTED_BY_TF_SERVING and code == "OK"):
            entry = method.lower() if api == "REST" else method
            counted.request_latency.add(model, entry, api, sample=seconds * 1e6)
        if method in WITH_EXAMPLES and code == "OK":
            counted.example_counts.add(model, sample=rows)
            counted.example_count_total.add(model, by=rows)

    def _note_gone(self, version: Version, path: str) -> None:
        """Keep counts of the last versions that went, so that Prometheus reads their end, and drop older ones."""
        with self._lock:
            self._unloaded = deque(it for it in self._unloaded if it[0] != version)
            self._unloaded.append((version, path))
            while len(self._unloaded) > UNLOADED_KEPT:
                (model, number), old = self._unloaded.popleft()
                if (model, number) in self._served:
                    continue
                self.tf_serving.forget_path(old)
                self.series.forget_version(model, number)
                if model not in self._signatures:
                    self.series.forget_model(model)
