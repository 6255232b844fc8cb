"""Model, engine and loop of a run, made within the strategy's scope."""

from collections.abc import Callable

from keras_ft.errors import WorkError
from keras_ft.presets.pretrained import Pretrained
from keras_ft.recipe import Recipe
from keras_ft.run_folder import RunFolder
from keras_ft.tasks.model import build_model
from keras_ft.training.checkpoint import Checkpoints
from keras_ft.training.engines import make_engine
from keras_ft.training.loop import Loop
from keras_ft.training.prepare import Prepared
from keras_ft.training.workers import Workers


def build_loop(
    recipe: Recipe,
    run: RunFolder,
    pretrained: Pretrained,
    prepared: Prepared,
    workers: Workers,
    tell: Callable[[str], None],
) -> Loop:
    """A loop that has not resumed yet; only the chief's writes checkpoints.

    Args:
        recipe: of the run.
        run: holds the checkpoints.
        pretrained: made within the strategy's scope.
        prepared: the data.
        workers: that train together, each with a loop of its own.
        tell: is given a line for the user.
    """
    with workers.strategy.scope():
        model = build_model(prepared.task, pretrained, recipe.train.seed)
    engine = make_engine(recipe, model, prepared.task, workers.strategy)
    parts = engine.num_replicas * recipe.train.accumulate
    if prepared.task.contrasts_examples and parts > 1:
        tell(
            f"Each example is told apart from those of its own micro-batch alone, one of {parts} in a batch:"
            " a larger batch_size gives it more negatives"
        )
    return Loop(
        engine,
        prepared.task,
        recipe.train,
        prepared.splits["train"],
        prepared.splits["validation"],
        Checkpoints(
            run.checkpoints, recipe.train.checkpoint.keep, lambda: _publish_or_tell(run, tell), workers.is_chief
        ),
        prepared.fingerprint,
        tell=tell,
        agreed=lambda metrics: workers.exchange(metrics)[0],  # of unlike machines, each would round otherwise
    )


def _publish_or_tell(run: RunFolder, tell: Callable[[str], None]) -> None:
    """A store that cannot be reached for a while must not stop training; the next checkpoint tries again."""
    try:
        run.publish()
    except WorkError as error:
        tell(f"The checkpoint is in {run.path} only: {error}")
