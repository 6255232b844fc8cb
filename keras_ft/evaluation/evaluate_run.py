"""`keras-ft evaluate`: the metrics of a run on other data."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from keras_ft.data.array_writer import write_arrays
from keras_ft.data.arrays import TokenArrays
from keras_ft.data.malformed import Skipped, refusal
from keras_ft.data.readers import find_sources
from keras_ft.errors import RequestError
from keras_ft.evaluation.evaluate import TFEvaluator
from keras_ft.evaluation.origin import Origin
from keras_ft.evaluation.record import evaluate_and_record, measured_texts, worst_mistakes
from keras_ft.evaluation.report.run_report import write_page
from keras_ft.evaluation.report.sections import Facts
from keras_ft.evaluation.views import view_of
from keras_ft.evaluation.written import FolderWriter, written_texts
from keras_ft.paths import AnyPath
from keras_ft.run_folder import RunFolder
from keras_ft.shown import to_stderr
from keras_ft.tasks.base import Task
from keras_ft.tasks.encode import Chunk, encode, read_examples
from keras_ft.tasks.model import load_model
from keras_ft.tasks.registry import check_task


def evaluate_run(folder: AnyPath, data: str, report: Path | None = None) -> dict[str, float]:
    """`loss` and the task's metrics over the examples of a file.

    Args:
        folder: a finished run.
        data: a file, a pattern or a data set, with the columns of the run's recipe.
        report: where to write a page about the answers; None writes none.

    Raises:
        RequestError: the run is not finished, the data, a column or a label is wrong, or `report` is a folder.
    """
    if report is not None and report.is_dir():
        raise RequestError(f"--report {report} is a folder; give the name of an .html file")
    run = RunFolder.opened(folder)
    recipe = run.read_recipe()
    kind, options = check_task(recipe)
    sources = find_sources(data, "test", kind.division(options))
    trained = load_model(run.model)
    evaluator = TFEvaluator(trained.model, trained.task, recipe.train.precision)
    skipped = Skipped()
    refuse = refusal("refuse") if recipe.data.malformed == "refuse" else skipped
    rows = read_examples(trained.task, sources, recipe.data.columns, refuse)
    with tempfile.TemporaryDirectory() as scratch:
        chunks = encode(trained.task, trained.pretrained.tokenizer, rows)
        arrays = _written(Path(scratch), chunks, trained.task)
        skipped.report(data, to_stderr)
        examples = trained.task.examples(arrays)
        if not examples.num_examples:
            raise RequestError(f"{data} is too short to be evaluated: it should have more than one token")
        origin = Origin.of(sources, recipe.data, examples, trained.pretrained.tokenizer)
        metrics, predictions = evaluate_and_record(evaluator, trained.task, origin)
        texts = written_texts(trained.task, origin, FolderWriter(run.model), to_stderr)
        metrics |= measured_texts(texts)
        if report is not None:
            mistakes = worst_mistakes(trained.task, origin, predictions, to_stderr)
            facts = Facts(recipe, {str(origin): metrics}, predictions, view_of(predictions), mistakes, texts=texts)
            write_page(report, f"{run.path.resolve().name} on {origin}", facts)
    return metrics


def _written(folder: Path, chunks: Iterator[Chunk], task: Task) -> TokenArrays:
    return write_arrays(folder, "", lambda _: chunks, task.axes, task.several_sequences, task.kept_texts)
