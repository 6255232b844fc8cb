"""The training loop: drives an engine through the plan of each epoch, evaluates, keeps the best, resumes.

It calls ordinary Keras callbacks. The logs of a training batch hold `step, loss, learning_rate, gradient_norm,
examples_per_second`; those of a test (an evaluation) the metrics; those of an epoch the mean loss and, with `val_`
before their names, the metrics.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np

from keras_ft.data.arrays import TokenArrays
from keras_ft.data.plans import Plans, training_plans
from keras_ft.data.steps import Step
from keras_ft.errors import RequestError, WorkError
from keras_ft.evaluation.evaluate import EXAMPLES_AT_ONCE, evaluate
from keras_ft.recipe import EarlyStopping, Interval, TrainSection, suggest
from keras_ft.tasks.base import Task
from keras_ft.training.checkpoint import Checkpoints
from keras_ft.training.engine import Engine
from keras_ft.training.interrupt import stop_requests


@dataclass
class Progress:
    """Where a run stands: all that a checkpoint must say besides weights and optimizer."""

    step: int = 0
    epoch: int = 0
    batch: int = 0
    seconds: float = 0.0
    examples: int = 0
    tokens: int = 0
    slots: int = 0
    evaluated_step: int = 0
    best_step: int = -1
    best: dict[str, float] = field(default_factory=dict)
    evaluations_without_gain: int = 0
    finished: bool = False


class Loop:
    """One training run over prepared arrays.

    Args:
        engine: does the arithmetic.
        task: names its metrics.
        settings: the recipe's `train`.
        train, validation: the arrays.
        checkpoints: where states are written and found.
        fingerprint: of the data; a checkpoint made with other data is refused.
        tell: is given a line for the user.

    Raises:
        RequestError: the metric of early stopping is not measured.
    """

    def __init__(
        self,
        engine: Engine,
        task: Task,
        settings: TrainSection,
        train: TokenArrays,
        validation: TokenArrays,
        checkpoints: Checkpoints,
        fingerprint: str,
        tell: Callable[[str], None] = print,
    ):
        self.engine, self.task, self.settings = engine, task, settings
        self.train, self.validation = train, validation
        self.checkpoints, self.fingerprint, self.tell = checkpoints, fingerprint, tell
        self.progress = Progress()
        self.stopping = settings.early_stopping or EarlyStopping(metric=task.main_metric, patience=10**9)
        measured = ["loss", *task.metrics().names]
        if self.stopping.metric not in measured:
            wrong = self.stopping.metric
            raise RequestError(f"train.early_stopping.metric '{wrong}' is not measured; {suggest(wrong, measured)}")
        self.plans = self._make_plans()
        self.total_steps = settings.steps or sum(self.plans.count(e) for e in range(settings.epochs or 0))

    def resume(self) -> int:
        """Prepare the engine and take up the last checkpoint, if there is one.

        Returns:
            The step that training goes on from, 0 for a fresh start.

        Raises:
            WorkError: the checkpoint was made with other data.
        """
        self.engine.prepare(self.total_steps)
        found = self.checkpoints.latest()
        if found is None:
            return 0
        state, progress = found
        if progress.pop("fingerprint") != self.fingerprint:
            raise WorkError(
                f"the data changed since {self.checkpoints.folder} was written; train into another --out, or delete it"
            )
        self.progress = Progress(**progress)
        self.engine.load_state(state)
        return self.progress.step

    def run(self, callbacks: Sequence[keras.callbacks.Callback] = ()) -> Progress:
        """Train to the end, calling ordinary Keras callbacks, and leave the best weights in the engine's model.

        Raises:
            KeyboardInterrupt: SIGINT or SIGTERM came; a checkpoint was written after the step under way.
            WorkError: the loss is no longer finite.
        """
        self.callbacks = keras.callbacks.CallbackList(list(callbacks), model=self.engine.model)
        self.callbacks.set_params({"epochs": self.settings.epochs, "steps": self.total_steps, "verbose": 0})
        self.engine.model.stop_training = False
        self.callbacks.on_train_begin()
        self._last_save = time.monotonic()
        with stop_requests() as self._stop:
            while not self.progress.finished:
                self._run_epoch()
        if self.progress.best_step >= 0:
            self.engine.load_state(self.checkpoints.best(self.progress.best_step))
        self.callbacks.on_train_end(self.progress.best)
        return self.progress

    def _run_epoch(self) -> None:
        progress = self.progress
        steps = self.plans.steps(progress.epoch)
        self.callbacks.on_epoch_begin(progress.epoch)
        losses = []
        metrics = self._settle(len(steps))  # an interrupted run may owe an evaluation
        batches = () if progress.finished else self.engine.batches(self.train, steps, progress.batch)
        for batch in batches:
            self.callbacks.on_train_batch_begin(progress.batch)
            logs = self._train_step(batch, steps[progress.batch])
            losses.append(logs["loss"])
            self.callbacks.on_train_batch_end(progress.batch - 1, logs)
            metrics = self._settle(len(steps)) or metrics
            if progress.finished:
                break
            if self._must_stop:
                self._save()
                self.tell(f"Interrupted after step {progress.step}; the same command goes on from there.")
                raise KeyboardInterrupt
            if self._is_checkpoint_due(len(steps)):
                self._save()
        logs = {"loss": float(np.mean(losses))} if losses else {}
        self.callbacks.on_epoch_end(progress.epoch, logs | {f"val_{k}": v for k, v in metrics.items()})
        progress.finished |= bool(self.engine.model.stop_training)
        if progress.finished:
            self._save()
        else:
            progress.epoch, progress.batch = progress.epoch + 1, 0

    def _settle(self, steps_per_epoch: int) -> dict[str, float]:
        """Evaluate if the step just made wants it, and say whether the run is finished."""
        progress = self.progress
        metrics = {}
        last = progress.step >= self.total_steps
        if progress.step > progress.evaluated_step and (
            last or self._is_due(self.settings.evaluate_every, steps_per_epoch)
        ):
            metrics = self._evaluate()
            progress.evaluated_step = progress.step
        progress.finished |= last or bool(self.engine.model.stop_training)
        return metrics

    def _train_step(self, batch: Any, planned: Step) -> dict[str, float]:
        progress = self.progress
        started = time.perf_counter()
        logs = self.engine.train_step(batch, progress.step, self._stop.requested)
        if not math.isfinite(logs["loss"]):
            raise WorkError(
                f"the loss is {logs['loss']} at step {progress.step + 1}; "
                "try a lower learning_rate, more warmup, or precision: float32"
            )
        seconds = time.perf_counter() - started
        self._must_stop = logs.pop("stop") > 0
        progress.step += 1
        progress.batch += 1
        progress.seconds += seconds
        progress.examples += planned.num_examples
        progress.slots += planned.num_slots
        progress.tokens += planned.num_tokens
        return {"step": progress.step, **logs, "examples_per_second": planned.num_examples / seconds}

    def _evaluate(self) -> dict[str, float]:
        self.callbacks.on_test_begin()
        with self.engine.averaged_weights():
            metrics = evaluate(self.engine, self.task, self.validation, self._evaluation_batch_size)
            self._keep_if_best(metrics)
        self.callbacks.on_test_end(metrics)
        return metrics

    def _keep_if_best(self, metrics: dict[str, float]) -> None:
        progress, metric = self.progress, self.stopping.metric
        sign = -1.0 if metric in ("loss", "perplexity") else 1.0
        if not progress.best or sign * metrics[metric] > sign * progress.best[metric]:
            weights = {k: v for k, v in self.engine.state().items() if k.startswith("model/")}
            self.checkpoints.save_best(progress.step, weights, metrics)
            progress.best, progress.best_step, progress.evaluations_without_gain = metrics, progress.step, 0
            return
        progress.evaluations_without_gain += 1
        if progress.evaluations_without_gain >= self.stopping.patience:
            self.tell(
                f"Stopping early at step {progress.step}: {metric} has not improved since step {progress.best_step}"
            )
            progress.finished = True

    def _is_due(self, every: Interval, steps_per_epoch: int) -> bool:
        if every.unit == "steps":
            return self.progress.step % max(1, round(every.amount)) == 0
        batch, epoch_ends = self.progress.batch, self.progress.batch == steps_per_epoch
        if every.amount >= 1:
            return epoch_ends and (self.progress.epoch + 1) % round(every.amount) == 0
        parts = round(1 / every.amount)  # of an epoch, the last of which ends with it
        return batch > 0 and batch * parts // steps_per_epoch > (batch - 1) * parts // steps_per_epoch

    def _is_checkpoint_due(self, steps_per_epoch: int) -> bool:
        every = self.settings.checkpoint.every
        if every.unit == "seconds":
            return time.monotonic() - self._last_save >= every.amount
        return self._is_due(every, steps_per_epoch)

    def _save(self) -> None:
        progress = vars(self.progress) | {"fingerprint": self.fingerprint}
        self.checkpoints.save(self.progress.step, self.engine.state(), progress)
        self._last_save = time.monotonic()

    @property
    def _evaluation_batch_size(self) -> int:
        """What needs small batches to be trained needs them to be evaluated."""
        return min(EXAMPLES_AT_ONCE, 2 * (self.settings.batch_size or EXAMPLES_AT_ONCE))

    def _make_plans(self) -> Plans:
        settings, lengths = self.settings, self.train.lengths
        return training_plans(
            self.engine.layout,
            lengths,
            settings.seed,
            epochs=settings.epochs or -(-(settings.steps or 1) // max(1, self._fewest_steps(lengths))),
            parts=self.engine.num_replicas * settings.accumulate,
            batch_size=settings.batch_size,
            tokens_per_batch=settings.tokens_per_batch,
            most_shapes=self.engine.most_shapes,
        )

    def _fewest_steps(self, lengths: np.ndarray) -> int:
        """Of an epoch."""
        if self.settings.batch_size:
            return -(-len(lengths) // self.settings.batch_size)
        return int(lengths.sum()) // (self.settings.tokens_per_batch or 1)
