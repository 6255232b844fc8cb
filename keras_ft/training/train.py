"""`keras-ft train`: a recipe and a folder → a trained, tested run in that folder."""

import math
import resource
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any

import keras

from keras_ft.evaluation.evaluate import calibrate
from keras_ft.evaluation.origin import Origin
from keras_ft.evaluation.record import record_split
from keras_ft.evaluation.report.run_report import write_run_report
from keras_ft.evaluation.written import FolderWriter
from keras_ft.inspection.files import write_json
from keras_ft.inspection.finding import counted
from keras_ft.inspection.inspect import inspect
from keras_ft.paths import AnyPath
from keras_ft.presets.pretrained import Pretrained
from keras_ft.presets.saved_weights import save_weights, void_weights
from keras_ft.recipe import DataSection, Recipe
from keras_ft.run_folder import RunFolder
from keras_ft.shown import to_stderr
from keras_ft.tasks.backbone import load_backbone
from keras_ft.tasks.registry import check_task, save_task
from keras_ft.tasks.samples import read_samples, write_samples
from keras_ft.text.load import Tokenizer
from keras_ft.training.build import build_loop
from keras_ft.training.callback_names import named_callbacks
from keras_ft.training.engines import check_engine
from keras_ft.training.follow import follow
from keras_ft.training.interrupt import resumable
from keras_ft.training.keras_callbacks import settle_callbacks
from keras_ft.training.logs.chosen import check_logging, opened_logs
from keras_ft.training.loop import Loop
from keras_ft.training.prepare import Prepared, prepare
from keras_ft.training.progress import Progress
from keras_ft.training.strategy import build_strategy
from keras_ft.training.workers import Workers


def train(
    recipe: Recipe,
    out: AnyPath,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    tell: Callable[[str], None] = to_stderr,
) -> dict[str, Any]:
    """Train, test and save; a folder that holds an unfinished run of the same recipe is resumed.

    Args:
        recipe: from `keras_ft.recipe_file.load_recipe`.
        out: the run folder.
        callbacks: more Keras callbacks, called after those of the recipe.
        tell: is given a line for the user.

    Returns:
        What `metrics.json` holds; nothing on a worker that is not the chief.

    Raises:
        RequestError: something in the recipe, its data or the folder is wrong.
        WorkError: training failed (the loss became NaN, a preset could not be fetched).
        ResumeError: SIGTERM came, or another worker was lost; the same call (on all workers) goes on.
    """
    check_engine(recipe.runtime)
    check_task(recipe)
    with resumable():
        workers = Workers(build_strategy(recipe.runtime))  # before a callback's module can use TensorFlow
        callbacks = [*named_callbacks(recipe.train.callbacks), *callbacks]
        with workers.lost_workers_told():
            if workers.is_chief:
                return _lead(recipe, RunFolder(out), callbacks, tell, workers)
            follow(recipe, out, workers, callbacks)
            return {}


def _lead(
    recipe: Recipe,
    run: RunFolder,
    callbacks: Sequence[keras.callbacks.Callback],
    tell: Callable[[str], None],
    workers: Workers,
) -> dict[str, Any]:
    with ExitStack() as held:
        with workers.leading() as told:
            held.enter_context(run.claimed(recipe))
            finished = run.read_metrics()
            told["finished"] = finished is not None
        if finished is not None:
            tell(f"{run.name} is finished already; delete it to train again")
            if run.predictions.is_dir() and not run.report_file.is_file():  # killed between the two
                _finish(run)
            return finished
        with run.discarded_if_refused():
            loop, origins = _set_up(recipe, run, callbacks, tell, workers)
        with workers.lost_workers_told(lambda: loop.progress.step):
            _run(loop, recipe, run, callbacks)
        with workers.leading():
            metrics = _measure(loop, run, origins, tell)
            metrics = {"task": recipe.task.name, "backbone": _backbone_name(recipe), **metrics}
            run.write_metrics(metrics)
            _finish(run)
        return metrics


def _finish(run: RunFolder) -> None:
    try:
        write_run_report(run)
    finally:
        run.publish()


def _set_up(
    recipe: Recipe,
    run: RunFolder,
    callbacks: Sequence[keras.callbacks.Callback],
    tell: Callable[[str], None],
    workers: Workers,
) -> tuple[Loop, dict[str, Origin]]:
    """Everything that can be refused, before the first step: model, data, checkpoint; and what is measured."""
    keras.utils.set_random_seed(recipe.train.seed)
    with workers.strategy.scope():
        pretrained = load_backbone(recipe)
    with workers.leading() as told:
        prepared = prepare(recipe, pretrained, run.data, tell)
        void_weights(run.model)
        pretrained.save(run.model)
        save_task(prepared.task, run.model)
        write_samples(read_samples(run.data, prepared.task), run.model)
        told["fingerprint"] = prepared.fingerprint
    workers.agree("")
    loop = build_loop(recipe, run, pretrained, prepared, workers, tell)
    with workers.leading():
        check_logging(recipe, loop.total_steps)
        settle_callbacks(callbacks, ["loss", *prepared.task.metrics().names], recipe.train.ema is not None)
    if loop.resume():
        tell(f"Resuming from step {loop.progress.step} of {loop.total_steps}")
    workers.check_equal(loop.engine.state() if workers.count > 1 else {})
    with workers.leading():
        _inspect(recipe, pretrained, prepared.fingerprint, run, tell)
        return loop, _origins(prepared, recipe.data, pretrained.tokenizer)


def _origins(prepared: Prepared, data: DataSection, tokenizer: Tokenizer) -> dict[str, Origin]:
    """What is measured, known by digests of the files as they are now: they may be gone when training ends."""
    return {
        name: Origin.of(sources, data, prepared.splits[name], tokenizer)
        for name, sources in prepared.sources.items()
        if name != "train"
    }


def _inspect(
    recipe: Recipe, pretrained: Pretrained, fingerprint: str, run: RunFolder, tell: Callable[[str], None]
) -> None:
    """Leave what `keras-ft inspect` finds for the report, and say what is worth stopping for."""
    known = run.read_inspection()
    if known and known.get("fingerprint") == fingerprint:
        return
    found = inspect(recipe, pretrained, tell)
    write_json({**found.to_json(), "fingerprint": fingerprint}, run.inspection_file)
    for finding in found.findings:
        if finding.severity == "problem":
            tell(f"Problem in {finding.split}: {finding.what}; {finding.advice}")
    others = sum(finding.severity == "warning" for finding in found.findings)
    if others:
        tell(f"{counted(others, 'warning')} about the data; 'keras-ft inspect' and report.html show them")


def _run(loop: Loop, recipe: Recipe, run: RunFolder, callbacks: Sequence[keras.callbacks.Callback]) -> None:
    """Train, with logs and a progress bar."""
    with opened_logs(loop, recipe, run) as logs:
        loop.run(callbacks, logs)


def _measure(loop: Loop, run: RunFolder, origins: dict[str, Origin], tell: Callable[[str], None]) -> dict[str, Any]:
    """Calibrate, write the weights, and test; returns metrics, what calibration found, and the cost."""
    engine, task, progress = loop.engine, loop.task, loop.progress
    writer = FolderWriter(run.model)
    metrics = {"validation": progress.best, **_calibrate(loop, run, tell), "train": _cost(progress, engine.model)}
    save_weights(engine.model, run.model)  # last of `model/`: with it the run counts as trained
    measured = record_split(run, "validation", engine, task, origins["validation"], writer, tell)
    metrics["validation"] = measured | progress.best  # with what only texts tell
    if "test" in origins:
        metrics["test"] = record_split(run, "test", engine, task, origins["test"], writer, tell)
    return metrics


def _calibrate(loop: Loop, run: RunFolder, tell: Callable[[str], None]) -> dict[str, Any]:
    """Let the task learn what it needs from validation, with the best weights, and save it again."""
    if not loop.task.wants_calibration:
        return {}
    found = calibrate(loop.engine, loop.task, loop.validation, tell)
    loop.engine.recompile_evaluation()
    save_task(loop.task, run.model)
    return {"calibration": found}


def _backbone_name(recipe: Recipe) -> str:
    return recipe.backbone if isinstance(recipe.backbone, str) else "from scratch"


def _cost(progress: Progress, model: keras.Model) -> dict[str, float | int]:
    seconds = max(progress.seconds, 1e-9)
    unit = 1 if sys.platform == "darwin" else 1024
    return {
        "examples": progress.examples,
        "seconds": round(progress.seconds, 2),
        "examples_per_second": round(progress.examples / seconds, 2),
        "tokens_per_second": round(progress.tokens / seconds, 1),
        "padding_fraction": round(1.0 - progress.tokens / max(1, progress.slots), 6),
        "trainable_parameters": sum(math.prod(v.shape) for v in model.trainable_variables),
        "total_parameters": int(model.count_params()),
        "peak_memory_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit,
    }
