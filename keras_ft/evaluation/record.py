"""Measuring a split and keeping what was said to each of its examples."""

from collections.abc import Callable, Iterator

import numpy as np

from keras_ft.errors import RequestError
from keras_ft.evaluation.evaluate import Batch, Evaluator, measure, targets_of
from keras_ft.evaluation.mistakes import Mistakes, write_mistakes
from keras_ft.evaluation.origin import Origin
from keras_ft.evaluation.predictions import Predictions
from keras_ft.evaluation.reference import SeenAnswers, write_reference
from keras_ft.evaluation.shorten import shortened
from keras_ft.evaluation.text_metrics import text_metrics
from keras_ft.evaluation.texts import GeneratedText, write_texts
from keras_ft.evaluation.views import view_of
from keras_ft.evaluation.written import FolderWriter, written_texts
from keras_ft.run_folder import RunFolder
from keras_ft.tasks.base import Task
from keras_ft.tasks.registry import describe

WORST = 50
CHARACTERS = 2000  # of a text that is kept with a run


def evaluate_and_record(
    evaluator: Evaluator, task: Task, origin: Origin, watch: Callable[[dict[str, np.ndarray]], None] | None = None
) -> tuple[dict[str, float], Predictions]:
    """What `evaluate` returns, and the predictions it was made from, in one pass.

    Args:
        evaluator: an engine.
        task: gives the metrics, and says what is recorded.
        origin: the arrays, and what they were made from.
        watch: is given the answers of each batch.
    """
    records: list[dict[str, np.ndarray]] = []

    def recorded(batches: Iterator[Batch]) -> Iterator[Batch]:
        for tensors, found in batches:
            targets = targets_of(task, origin.arrays, tensors)
            kept = task.record(found.outputs, found.answers, targets, found.losses)
            records.append({"row": tensors["indices"], **kept})
            if watch:
                watch(found.answers)
            yield tensors, found

    metrics = measure(task, origin.arrays, recorded(evaluator.evaluated(origin.arrays)))
    columns = {name: np.concatenate([record[name] for record in records]) for name in records[0]}
    order = np.argsort(columns["row"], kind="stable")
    columns = task.whole_record({name: values[order] for name, values in columns.items()})
    columns["tokens"] = origin.arrays.lengths[columns["row"]].astype(np.int32)
    return metrics, Predictions(describe(task), str(origin), origin.digest, columns)


def worst_mistakes(task: Task, origin: Origin, predictions: Predictions, tell: Callable[[str], None]) -> Mistakes:
    """The wrong answers with the highest loss, with their texts, cut where they are very long.

    Args:
        task: of the predictions.
        origin: of the predictions.
        predictions: of a split.
        tell: is given a line if the texts can no longer be read; there are none of them then.
    """
    rows = view_of(predictions).mistakes(predictions.columns, WORST).tolist()
    if not rows:
        return []
    try:
        texts = origin.texts(task, rows)
    except (RequestError, OSError, IndexError) as error:
        tell(f"The report shows no texts of mistakes: {error}")
        return []
    cut = [{name: shortened(text, CHARACTERS) for name, text in found.items()} for found in texts]
    return [{"row": row, "texts": found} for row, found in zip(rows, cut, strict=True)]


def record_split(
    run: RunFolder,
    split: str,
    evaluator: Evaluator,
    task: Task,
    origin: Origin,
    writer: FolderWriter,
    tell: Callable[[str], None],
) -> dict[str, float]:
    """Measure a split and write its predictions and worst mistakes to the run folder; returns the metrics.

    Args:
        run: gets `predictions/SPLIT.npz` and `predictions/SPLIT_mistakes.json`; of validation also
            `model/reference.json`.
        split: its name.
        evaluator: an engine.
        task: of the run.
        origin: the arrays of the split, and what they were made from.
        writer: writes with the run's model.
        tell: is given a line for the user.
    """
    tell(f"Predicting {split}: {origin.arrays.num_examples:,} examples")
    seen = SeenAnswers(task.name)
    metrics, predictions = evaluate_and_record(evaluator, task, origin, seen.add)
    if split == "validation":
        write_reference(run.model, task, origin, seen, tell)
    predictions.write(run.predictions / f"{split}.npz")
    write_mistakes(worst_mistakes(task, origin, predictions, tell), run.predictions / f"{split}_mistakes.json")
    texts = written_texts(task, origin, writer, tell)
    if texts:
        write_texts(run.predictions / f"{split}_texts.jsonl", texts)
    return metrics | measured_texts(texts)


def measured_texts(texts: list[GeneratedText]) -> dict[str, float]:
    """How near texts come to their references; nothing where there are none."""
    return text_metrics([found.text for found in texts], [found.reference for found in texts]) if texts else {}
