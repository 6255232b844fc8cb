"""Where a run stands, and what is due there."""

from dataclasses import dataclass, field

from keras_ft.recipe import Interval


@dataclass
class Progress:
    """Where a run stands; a checkpoint says it besides weights, optimizer and what callbacks know."""

    step: int = 0
    epoch: int = 0
    batch: int = 0
    seconds: float = 0.0
    examples: int = 0
    tokens: int = 0
    slots: int = 0
    epoch_loss: float = 0.0  # the sum over the batches of this epoch
    epoch_metrics: dict[str, float] = field(default_factory=dict)  # of the last evaluation in it
    evaluated_step: int = 0
    best_step: int = -1
    best: dict[str, float] = field(default_factory=dict)
    evaluations_without_gain: int = 0
    finished: bool = False


def is_due(every: Interval, progress: Progress, steps_per_epoch: int) -> bool:
    """Whether a multiple of an interval in steps or epochs ends with the step just made."""
    if every.unit == "steps":
        return progress.step % max(1, round(every.amount)) == 0
    batch, epoch_ends = progress.batch, progress.batch == steps_per_epoch
    if every.amount >= 1:
        return epoch_ends and (progress.epoch + 1) % round(every.amount) == 0
    parts = round(1 / every.amount)  # of an epoch, the last of which ends with it
    return batch > 0 and batch * parts // steps_per_epoch > (batch - 1) * parts // steps_per_epoch
