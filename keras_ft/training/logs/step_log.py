"""What every log of a run has in common: which steps it notes, and what of them."""

import keras

COLUMNS = ("step", "loss", "learning_rate", "gradient_norm", "examples_per_second", "tokens_per_second")


class StepLog(keras.callbacks.Callback):
    """Hands on the training logs of every so many steps and the metrics of every evaluation.

    Args:
        every: steps from one to the next.
        resumed_step: where training goes on, 0 for a new run.
    """

    def __init__(self, every: int, resumed_step: int):
        super().__init__()
        self.every, self.step = every, resumed_step

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Note a training step."""
        logs = logs or {}
        self.step = int(logs["step"])
        if self.step % self.every == 0:
            self.record({name: float(logs[name]) for name in COLUMNS if name != "step"})

    def on_test_end(self, logs: dict[str, float] | None = None) -> None:
        """Note an evaluation."""
        self.record({f"val_{name}": value for name, value in (logs or {}).items()})

    def record(self, values: dict[str, float]) -> None:
        """Write down values of `self.step`; those of an evaluation begin with `val_`."""
        raise NotImplementedError


def curve_of(name: str) -> str:
    """`loss` → `train/loss`, `val_loss` → `validation/loss`: the name of its curve."""
    return f"validation/{name[4:]}" if name.startswith("val_") else f"train/{name}"
