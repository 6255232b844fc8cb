"""What the workers other than the chief do: everything that the chief does, but for writing."""

import time
from collections.abc import Sequence

import keras

from keras_ft.paths import AnyPath, pull, reading_folder
from keras_ft.presets.pretrained import Pretrained
from keras_ft.recipe import Recipe
from keras_ft.run_folder import LOCAL_ONLY, RunFolder
from keras_ft.tasks.backbone import load_backbone
from keras_ft.training.build import build_loop
from keras_ft.training.keras_callbacks import settle_callbacks
from keras_ft.training.prepare import Prepared, open_prepared, prepare
from keras_ft.training.workers import SAME, Workers

WRITERS = (
    keras.callbacks.ModelCheckpoint,
    keras.callbacks.CSVLogger,
    keras.callbacks.TensorBoard,
    keras.callbacks.RemoteMonitor,
)
SECONDS_TO_SEE = 30.0  # what another machine wrote to a shared file system


def follow(recipe: Recipe, out: AnyPath, workers: Workers, callbacks: Sequence[keras.callbacks.Callback]) -> None:
    """Train in step with the chief, to its end.

    Args:
        recipe: the chief's.
        out: the chief's run folder.
        workers: of which this is not the chief.
        callbacks: Keras' own that write files are left to the chief.

    Raises:
        KerasFTError: the chief's own, of the same kind.
        RequestError: this worker does not see what the chief sees.
    """
    if workers.led()["finished"]:
        return
    keras.utils.set_random_seed(recipe.train.seed)
    with workers.strategy.scope():
        pretrained = load_backbone(recipe)
    fingerprint = workers.led()["fingerprint"]
    run = _own_copy(out, workers.number)
    prepared = _seen(recipe, pretrained, run, fingerprint)
    workers.agree("" if prepared else f"{run.data} does not hold what the chief prepared; {SAME}")
    assert prepared is not None
    loop = build_loop(recipe, run, pretrained, prepared, workers, tell=lambda line: None)
    workers.led()
    settle_callbacks(callbacks, ["loss", *prepared.task.metrics().names], recipe.train.ema is not None)
    loop.resume()
    workers.check_equal(loop.engine.state())
    workers.led()
    with workers.lost_workers_told(lambda: loop.progress.step):
        loop.run([callback for callback in callbacks if not isinstance(callback, WRITERS)])
    workers.led()


def _own_copy(out: AnyPath, number: int) -> RunFolder:
    """The chief's folder, or a copy of this worker's own where the chief's is in a store."""
    run = RunFolder(out)
    if not run.is_remote:
        return run
    run = RunFolder(out, reading_folder(out).with_name(f"{reading_folder(out).name}.worker-{number}"))
    run.path.mkdir(parents=True, exist_ok=True)
    pull(run.name, run.path, LOCAL_ONLY)
    return run


def _seen(recipe: Recipe, pretrained: Pretrained, run: RunFolder, fingerprint: str) -> Prepared | None:
    if run.is_remote:  # token arrays stay with whoever made them
        prepared = prepare(recipe, pretrained, run.data, lambda line: None)
        return prepared if prepared.fingerprint == fingerprint else None
    deadline = time.monotonic() + SECONDS_TO_SEE
    while (found := open_prepared(run.data, fingerprint)) is None and time.monotonic() < deadline:
        time.sleep(0.5)
    return found
