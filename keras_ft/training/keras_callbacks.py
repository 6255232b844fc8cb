"""Keras' own callbacks: those that cannot work are refused, and to others is said which way a metric is good."""

from collections.abc import Sequence

import keras

from keras_ft.errors import RequestError
from keras_ft.evaluation.view import LOWER_IS_BETTER
from keras_ft.recipe import suggest
from keras_ft.training.logs.step_log import COLUMNS

MONITORING = (keras.callbacks.EarlyStopping, keras.callbacks.ModelCheckpoint, keras.callbacks.ReduceLROnPlateau)
REFUSED = {
    "BackupAndRestore": "the run folder's checkpoints do this; leave it out",
    "OrbaxCheckpoint": "the run folder's checkpoints do this; leave it out",
    "SwapEMAWeights": "needs Keras' own averaging of weights, which our optimizers do not use; leave it out",
}


def settle_callbacks(
    callbacks: Sequence[keras.callbacks.Callback], metrics: Sequence[str], averaged: bool = False
) -> None:
    """Refuse what cannot work, and say to `mode="auto"` which way a metric is good: Keras knows compiled ones only.

    Args:
        callbacks: those that monitor something have the attributes `monitor` and `mode`.
        metrics: what an evaluation measures.
        averaged: whether it measures averages of the weights (`train.ema`), which callbacks do not see.

    Raises:
        RequestError: a callback cannot work here, or what it monitors is not measured.
    """
    known = ["loss", *(f"val_{name}" for name in metrics)]
    for callback in callbacks:
        kind = type(callback).__name__
        if type(callback).__module__.startswith("keras.") and kind in REFUSED:
            raise RequestError(f"{kind}: {REFUSED[kind]}")
        if not isinstance(callback, MONITORING):
            continue
        if isinstance(callback, keras.callbacks.ModelCheckpoint) and not callback.save_weights_only:
            raise RequestError(f"{kind} can save weights only: save_weights_only=True, and a name in .weights.h5")
        if averaged and (
            isinstance(callback, keras.callbacks.ModelCheckpoint) or getattr(callback, "restore_best_weights", False)
        ):
            raise RequestError(
                f"{kind} would keep the latest weights, while train.ema measures their averages; the run keeps the "
                "best averages itself, so leave it out, or restore_best_weights"
            )
        by_the_step = isinstance(callback, keras.callbacks.ModelCheckpoint) and callback.save_freq != "epoch"
        if callback.monitor not in known and not (by_the_step and callback.monitor in COLUMNS):
            raise RequestError(
                f"{kind} monitors '{callback.monitor}', which is not measured; {suggest(callback.monitor, known)}"
            )
        if callback.mode == "auto":
            lower = callback.monitor.removeprefix("val_") in LOWER_IS_BETTER
            callback.mode = "min" if lower else "max"
