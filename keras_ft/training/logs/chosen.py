"""The logs that a recipe asks for, opened and closed around training."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import keras

from keras_ft.recipe import Recipe, WandBOptions
from keras_ft.run_folder import RunFolder
from keras_ft.training.logs.csv_log import CSVLog
from keras_ft.training.logs.profile import Profile, profiled_steps
from keras_ft.training.logs.progress_bar import ProgressBar
from keras_ft.training.logs.tensorboard import TensorBoardLog
from keras_ft.training.logs.weights_and_biases import WandBLog, check_wandb
from keras_ft.training.loop import Loop


def check_logging(recipe: Recipe, total_steps: int) -> None:
    """Refuse, before the first step, what `logging` cannot do.

    Raises:
        RequestError: a package is missing, or the steps to profile are not there.
    """
    if recipe.logging.wandb:
        check_wandb()
    if recipe.logging.profile:
        profiled_steps(recipe.logging.profile, total_steps)


@contextmanager
def opened_logs(loop: Loop, recipe: Recipe, run: RunFolder) -> Iterator[list[keras.callbacks.Callback]]:
    """The callbacks that write `log.csv`, `events/` and what else the recipe's `logging` names, and show the bar."""
    asked, step = recipe.logging, loop.progress.step
    logs: list[keras.callbacks.Callback] = [
        CSVLog(run.log_file, ["loss", *loop.task.metrics().names], asked.every, step)
    ]
    closings: list[Callable[[bool], None]] = []
    if asked.tensorboard:
        tensorboard = TensorBoardLog(run.events, asked.every, step)
        logs.append(tensorboard)
        closings.append(lambda failed: tensorboard.close())
    if asked.wandb:
        options = asked.wandb if isinstance(asked.wandb, WandBOptions) else WandBOptions()
        wandb = WandBLog(run, options, recipe, step)
        logs.append(wandb)
        closings.append(wandb.close)
    if asked.profile:
        profile = Profile(run.events, *profiled_steps(asked.profile, loop.total_steps), step)
        logs.append(profile)
        closings.append(lambda failed: profile.close())
    bar = ProgressBar(loop.total_steps, loop.stopping.metric, step)
    closings.append(lambda failed: bar.close())
    failed = True
    try:
        yield [*logs, bar]
        failed = False
    finally:
        for close in reversed(closings):
            close(failed)
