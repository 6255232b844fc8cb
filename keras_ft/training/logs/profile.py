"""A profile of some steps, which TensorBoard's Profile tab and xprof show: `events/plugins/profile/…`."""

from pathlib import Path
from typing import Any

import keras

from keras_ft.errors import RequestError


def profiled_steps(written: str, total_steps: int) -> tuple[int, int]:
    """`100..110` → (100, 110), both within the run.

    Raises:
        RequestError: the run has no such steps.
    """
    first, last = (int(part) for part in written.split(".."))
    if not 1 <= first <= last <= total_steps:
        raise RequestError(f"logging.profile is {written}; the run's steps are 1..{total_steps}")
    return first, last


class Profile(keras.callbacks.Callback):
    """Traces the engine's own backend from one step to another.

    Args:
        folder: of the events.
        first, last: steps, the first of the run being 1; those before `resumed_step` are over.
        resumed_step: where training goes on, 0 for a new run.
    """

    def __init__(self, folder: Path, first: int, last: int, resumed_step: int):
        super().__init__()
        self.folder, self.first, self.last, self.step = folder, first, last, resumed_step
        self._tracer: Any = None
        self._marked: Any = None

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Begin the trace, and mark the step in it."""
        self.step += 1
        if self._tracer is None and self.first <= self.step <= self.last:
            self._tracer = _JAXTracer() if keras.backend.backend() == "jax" else _TFTracer()
            self._tracer.start(str(self.folder))
        if self._tracer:
            self._marked = self._tracer.mark(self.step)
            self._marked.__enter__()

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """End the step's mark, and at the last step the trace."""
        if self._marked:
            self._marked.__exit__(None, None, None)
            self._marked = None
        if self.step >= self.last:
            self.close()

    def close(self) -> None:
        """Write the trace, also of a run that ends within it."""
        if self._tracer:
            self._tracer.stop()
            self._tracer = None
            self.last = 0


class _TFTracer:
    def __init__(self) -> None:
        import tensorflow as tf

        self._profiler = tf.profiler.experimental

    def start(self, folder: str) -> None:
        self._profiler.start(folder)

    def mark(self, step: int) -> Any:
        return self._profiler.Trace("train", step_num=step, _r=1)

    def stop(self) -> None:
        self._profiler.stop()


class _JAXTracer:
    def __init__(self) -> None:
        import jax

        self._profiler = jax.profiler

    def start(self, folder: str) -> None:
        self._profiler.start_trace(folder)

    def mark(self, step: int) -> Any:
        return self._profiler.StepTraceAnnotation("train", step_num=step)

    def stop(self) -> None:
        self._profiler.stop_trace()
