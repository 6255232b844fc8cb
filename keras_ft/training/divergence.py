"""Whether training diverges: a loss or a gradient that is no number, or a loss that explodes and stays up.

A loss explodes when its median over the last 50 steps is more than 10 times the lowest such median, and above the
loss of the first steps, when the model knew nothing, for 100 steps on end. Spikes, hard batches and a model that
forgets a little do none of it: a model that is worse than an untrained one for so long has lost what it learned.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import fmean, median

from keras_ft.errors import WorkError

WINDOW = 50
TIMES_THE_LOWEST = 10.0
FIRST_STEPS = 10
STEPS_ABOVE = 100
SKIPPED_IN_A_ROW = 30  # a loss scale of 2**15 has halved itself away by then


@dataclass
class Divergence:
    """Watches one run; its attributes are what a checkpoint must keep.

    Attributes:
        recent: losses of the last steps.
        first: losses of the first steps.
        lowest: the lowest median of a window so far.
        lowest_step: the step that ended it.
        above: for how many steps on end the loss has been up.
        skipped: for how many steps on end the gradient has been no number, which loss scaling (float16) allows.
    """

    recent: list[float] = field(default_factory=list)
    first: list[float] = field(default_factory=list)
    lowest: float = math.inf
    lowest_step: int = 0
    above: int = 0
    skipped: int = 0

    def check(self, step: int, logs: Mapping[str, float], precision: str) -> None:
        """Look at one training step.

        Args:
            step: counts from 1.
            logs: with `loss` and `gradient_norm`.
            precision: what was computed in.

        Raises:
            WorkError: the run diverges.
        """
        loss, norm = logs["loss"], logs["gradient_norm"]
        if not math.isfinite(loss):
            raise WorkError(f"the loss is {loss} at step {step}; {_advice(precision)}")
        self.skipped = 0 if math.isfinite(norm) else self.skipped + 1
        if self.skipped > (SKIPPED_IN_A_ROW if precision == "float16" else 0):
            raise WorkError(f"the gradient's norm is {norm} at step {step}, the loss {loss:.3g}; {_advice(precision)}")
        self._watch(step, loss, precision)

    def check_evaluation(self, step: int, metrics: Mapping[str, float], precision: str) -> None:
        """Look at an evaluation, before its weights may become the best ones.

        Raises:
            WorkError: its loss is no number.
        """
        if not math.isfinite(metrics["loss"]):
            raise WorkError(f"the loss on validation is {metrics['loss']} at step {step}; {_advice(precision)}")

    def _watch(self, step: int, loss: float, precision: str) -> None:
        if len(self.first) < FIRST_STEPS:
            self.first.append(loss)
        self.recent = [*self.recent[1 - WINDOW :], loss]
        if len(self.recent) < WINDOW:
            return
        typical, untrained = median(self.recent), fmean(self.first)
        if typical < self.lowest:
            self.lowest, self.lowest_step = typical, step
        is_up = typical > TIMES_THE_LOWEST * self.lowest and typical > untrained
        self.above = self.above + 1 if is_up else 0
        if self.above >= STEPS_ABOVE:
            raise WorkError(
                f"the loss exploded: {typical:.3g} over the last {WINDOW} steps at step {step}, after {self.lowest:.3g}"
                f" at step {self.lowest_step} and {untrained:.3g} untrained; {_advice(precision)}"
            )


def _advice(precision: str) -> str:
    return (
        "try a lower learning_rate, more warmup"
        + (", or precision: float32" if precision != "float32" else ", or a smaller clip_norm")
        + ", in another --out"
    )
