"""`keras-ft evaluate`: the metrics of a run on other data."""

import tempfile
from pathlib import Path

from keras_ft.data.arrays import TokenArrays
from keras_ft.evaluation.evaluate import TFEvalStep, evaluate
from keras_ft.run_folder import RunFolder
from keras_ft.tasks.encode import encode_rows, read_examples
from keras_ft.tasks.model import load_model


def evaluate_run(folder: Path, file: Path) -> dict[str, float]:
    """`loss` and the task's metrics over the examples of a file.

    Args:
        folder: a finished run.
        file: data with the columns of the run's recipe.

    Raises:
        RequestError: the run is not finished, or the file, a column or a label is wrong.
    """
    run = RunFolder(folder)
    recipe = run.read_recipe()
    trained = load_model(run.model)
    rows = read_examples(trained.task, [str(file)], recipe.data.columns)
    targets = trained.task.targets(rows)
    step = TFEvalStep(trained.model, trained.task, recipe.train.precision)
    with tempfile.TemporaryDirectory() as scratch:
        chunks = encode_rows(trained.task, trained.pretrained.tokenizer, rows, targets)
        arrays = TokenArrays.write(Path(scratch), "", chunks, trained.task.axes)
        return evaluate(step, trained.task, arrays)
