"""The training loop: drives an engine through the plan of each epoch, evaluates, keeps the best, resumes.

It calls ordinary Keras callbacks. The logs of a training batch hold `step, loss, learning_rate, gradient_norm,
examples_per_second, tokens_per_second`; those of a test (an evaluation) the metrics; those of an epoch the mean loss
and, with `val_` before their names, the metrics.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from keras_ft.data.arrays import Arrays
from keras_ft.data.plans import Plans, training_plans
from keras_ft.data.steps import Step
from keras_ft.errors import RequestError, WorkError
from keras_ft.evaluation.evaluate import EXAMPLES_AT_ONCE, measure
from keras_ft.evaluation.view import LOWER_IS_BETTER
from keras_ft.recipe import EarlyStopping, TrainSection, suggest
from keras_ft.tasks.base import Task
from keras_ft.training.callback_optimizer import CallbackOptimizer
from keras_ft.training.callback_state import CallbackStates, Kept
from keras_ft.training.checkpoint import Checkpoints
from keras_ft.training.divergence import Divergence
from keras_ft.training.engine import Engine
from keras_ft.training.interrupt import Stopped, StopRequest, stop_requests
from keras_ft.training.progress import Progress, is_due

FINISH = 1000  # a wish larger than those of all processes to stop together


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
        agreed: is given what this process found (the metrics of an evaluation) and returns what all of them go by.

    Raises:
        RequestError: the metric of early stopping is not measured.
    """

    def __init__(
        self,
        engine: Engine,
        task: Task,
        settings: TrainSection,
        train: Arrays,
        validation: Arrays,
        checkpoints: Checkpoints,
        fingerprint: str,
        tell: Callable[[str], None] = print,
        agreed: Callable[[dict[str, float]], dict[str, float]] = lambda metrics: metrics,
    ):
        self.engine, self.task, self.settings = engine, task, settings
        self.train, self.validation = train, validation
        self.checkpoints, self.fingerprint, self.tell = checkpoints, fingerprint, tell
        self.agreed = agreed
        self.progress = Progress()
        self.divergence = Divergence()
        self._kept = Kept()
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
        self._kept = Kept.of(progress.pop("callbacks"), state)
        self.divergence = Divergence(**progress.pop("divergence"))
        self.progress = Progress(**progress)
        self.engine.load_state(state)
        return self.progress.step

    def run(
        self, callbacks: Sequence[keras.callbacks.Callback] = (), logs: Sequence[keras.callbacks.Callback] = ()
    ) -> Progress:
        """Train to the end, and leave the best weights in the engine's model.

        Args:
            callbacks: ordinary Keras callbacks; checkpoints keep their state.
            logs: callbacks that are called before them and have no state to keep.

        Raises:
            KeyboardInterrupt: SIGINT came; a checkpoint was written after the step under way.
            ResumeError: SIGTERM came; likewise.
            WorkError: the run diverges, or checkpoints cannot be written.
        """
        model = self.engine.model
        model.stop_training, model.optimizer = False, CallbackOptimizer(self.engine.optimizer)
        self.callbacks = keras.callbacks.CallbackList([*logs, *callbacks], model=model)
        epochs = self.settings.epochs or -(-self.total_steps // self.plans.count(0))
        self.callbacks.set_params({"epochs": epochs, "steps": self.plans.count(0), "verbose": 0})
        self.callbacks.on_train_begin()
        self._callback_states = CallbackStates(callbacks)
        self._callback_states.begin(self._kept)
        self._last_save = time.monotonic()
        with self.checkpoints, stop_requests() as self._stop:
            try:
                while not self.progress.finished:
                    self._run_epoch()
                if self.engine.num_processes == 1:
                    self._stop.check()
            except Stopped:
                self._leave()
        self._take_best(bool(callbacks))
        return self.progress

    def _run_epoch(self) -> None:
        progress = self.progress
        steps = self.plans.steps(progress.epoch)
        self._begin_epoch()
        self._settle(len(steps))  # an interrupted run may owe an evaluation
        batches = () if progress.finished else self.engine.batches(self.train, steps, progress.batch)
        self._ready = time.perf_counter()
        for batch in batches:
            self.callbacks.on_train_batch_begin(progress.batch)
            logs = self._train_step(batch, steps[progress.batch])
            self.callbacks.on_train_batch_end(progress.batch - 1, logs)
            if self._must_stop:
                raise Stopped
            self._settle(len(steps), self._finishes_now())
            if progress.finished:
                break
            if self._is_checkpoint_due(len(steps)):
                self._save()
            self._ready = time.perf_counter()
        logs = {"loss": progress.epoch_loss / progress.batch} if progress.batch else {}
        self.callbacks.on_epoch_end(progress.epoch, logs | {f"val_{k}": v for k, v in progress.epoch_metrics.items()})
        self._settle(len(steps), self._chief_finishes())
        if progress.finished:
            self._save()
        else:
            progress.epoch, progress.batch = progress.epoch + 1, 0
            progress.epoch_loss, progress.epoch_metrics = 0.0, {}

    def _begin_epoch(self) -> None:
        """Call the callbacks; what they do to an epoch that a run goes on within was done once already."""
        optimizer = self.engine.model.optimizer
        factor = optimizer.factor
        self.callbacks.on_epoch_begin(self.progress.epoch)
        if self.progress.batch:
            optimizer.factor = factor
            self._callback_states.give_back(self._kept)
        self._kept = Kept()

    def _finishes_now(self) -> bool:
        """Whether a callback ended the training; several processes do as the chief wished before the step."""
        if self.engine.num_processes > 1:
            return self._must_finish > 0
        return bool(self.engine.model.stop_training)

    def _chief_finishes(self) -> bool:
        """Whether a callback ended the training, on the chief where several processes train; all ask at once."""
        return bool(self.agreed({"finishes": float(self.engine.model.stop_training)})["finishes"])

    def _leave(self) -> None:
        """Save, wait until it is written, and end as the signal wants it."""
        self._save()
        self.checkpoints.wait()
        error = self._stop.error(self.progress.step)
        if isinstance(error, KeyboardInterrupt):
            self.tell(f"Interrupted after step {self.progress.step}; the same command goes on from there.")
        raise error

    def _take_best(self, has_callbacks: bool) -> None:
        """Load the best weights; where a callback chooses others at the end, measure those."""
        # A worker that does not write may come here before they are there, and has no use for them.
        is_there = self.progress.best_step >= 0 and self.checkpoints.writes
        best = self.checkpoints.best(self.progress.best_step) if is_there else {}
        if best:
            self.engine.load_state(best)
        self.callbacks.on_train_end(self.progress.best)
        now = self.engine.state() if has_callbacks else best
        if any(not np.array_equal(array, now[name]) for name, array in best.items()):
            self.tell("A callback chose other weights than those of the best evaluation")
            self.progress.best = self._measured()

    def _settle(self, steps_per_epoch: int, finishes: bool = False) -> None:
        """Evaluate if the step just made wants it, and say whether the run is finished."""
        progress = self.progress
        last = finishes or progress.step >= self.total_steps
        if progress.step > progress.evaluated_step and (
            last or is_due(self.settings.evaluate_every, progress, steps_per_epoch)
        ):
            progress.epoch_metrics = self._evaluate()
            progress.evaluated_step = progress.step
        progress.finished |= last

    def _train_step(self, batch: Any, planned: Step) -> dict[str, float]:
        progress = self.progress
        logs = self.engine.train_step(batch, progress.step, self._wishes())
        self.divergence.check(progress.step + 1, logs, self.settings.precision)
        seconds = time.perf_counter() - self._ready  # waiting for input included
        self._must_finish, stops = divmod(int(logs.pop("wishes")), FINISH)
        self._must_stop = stops > 0 or (self.engine.num_processes == 1 and self._stop.signal is not None)
        progress.step += 1
        progress.batch += 1
        progress.seconds += seconds
        progress.examples += planned.num_examples
        progress.slots += planned.num_slots
        progress.tokens += planned.num_tokens
        progress.epoch_loss += logs["loss"]
        counts = {"examples": planned.num_examples, "tokens": planned.num_tokens}
        speed = {f"{name}_per_second": count / seconds for name, count in counts.items()}
        return {"step": progress.step, **logs, **speed}

    def _wishes(self) -> int:
        """What this process tells the others with a step: to stop after it, or, of the chief, to finish."""
        finishes = self.checkpoints.writes and bool(self.engine.model.stop_training)
        return int(self._stop.signal is not None) + FINISH * finishes

    def _evaluate(self) -> dict[str, float]:
        self.callbacks.on_test_begin()
        with self.engine.averaged_weights():
            metrics = self.agreed(self._measured(self._stop))
            self.divergence.check_evaluation(self.progress.step, metrics, self.settings.precision)
            self._keep_if_best(metrics)
        self.callbacks.on_test_end(metrics)
        return metrics

    def _keep_if_best(self, metrics: dict[str, float]) -> None:
        progress, metric = self.progress, self.stopping.metric
        sign = -1.0 if metric in LOWER_IS_BETTER else 1.0
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

    def _measured(self, stop: StopRequest | None = None) -> dict[str, float]:
        """The metrics of validation; a signal ends it, unless others would go on without this process."""
        found = self.engine.evaluated(self.validation, self._evaluation_batch_size)
        alone = self.engine.num_processes == 1
        return measure(self.task, self.validation, stop.obeyed(found) if stop and alone else found)

    def _is_checkpoint_due(self, steps_per_epoch: int) -> bool:
        every = self.settings.checkpoint.every
        if every.unit == "seconds":
            return time.monotonic() - self._last_save >= every.amount
        return is_due(every, self.progress, steps_per_epoch)

    def _save(self) -> None:
        self._last_save = time.monotonic()
        if not self.checkpoints.writes:
            return
        self.checkpoints.wait()  # for the one before, or three copies of the state would be in memory
        kept = self._callback_states.collect()
        others = {"fingerprint": self.fingerprint, "callbacks": kept.states, "divergence": vars(self.divergence)}
        self.checkpoints.save(self.progress.step, self.engine.state() | kept.arrays, vars(self.progress) | others)

    @property
    def _evaluation_batch_size(self) -> int:
        """What needs small batches to be trained needs them to be evaluated."""
        return min(EXAMPLES_AT_ONCE, 2 * (self.settings.batch_size or EXAMPLES_AT_ONCE))

    def _make_plans(self) -> Plans:
        settings, lengths = self.settings, self.train.lengths
        fewest_steps = len(lengths) // settings.batch_size if settings.batch_size else 1  # of an epoch
        return training_plans(
            self.engine.layout,
            lengths,
            settings.seed,
            epochs=settings.epochs or -(-(settings.steps or 1) // max(1, fewest_steps)),
            parts=self.engine.num_replicas * settings.accumulate,
            batch_size=settings.batch_size,
            tokens_per_batch=settings.tokens_per_batch,
            most_shapes=self.engine.most_shapes,
        )
