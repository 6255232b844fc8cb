"""`keras-ft evaluate`: the metrics of a run on other data."""

import tempfile
from pathlib import Path

from keras_ft.data.array_writer import write_arrays
from keras_ft.data.readers import find_sources
from keras_ft.evaluation.evaluate import TFEvalStep, evaluate
from keras_ft.paths import AnyPath
from keras_ft.run_folder import RunFolder
from keras_ft.tasks.encode import encode, read_examples
from keras_ft.tasks.model import load_model


def evaluate_run(folder: AnyPath, data: str) -> dict[str, float]:
    """`loss` and the task's metrics over the examples of a file.

    Args:
        folder: a finished run.
        data: a file, a pattern or a data set, with the columns of the run's recipe.

    Raises:
        RequestError: the run is not finished, or the file, a column or a label is wrong.
    """
    run = RunFolder(folder).fetch()
    recipe = run.read_recipe()
    sources = find_sources(data, split="test")
    trained = load_model(run.model)
    step = TFEvalStep(trained.model, trained.task, recipe.train.precision)
    rows = read_examples(trained.task, sources, recipe.data.columns)
    with tempfile.TemporaryDirectory() as scratch:
        chunks = encode(trained.task, trained.pretrained.tokenizer, rows)
        arrays = write_arrays(Path(scratch), "", lambda _: chunks, trained.task.axes)
        return evaluate(step, trained.task, arrays)
