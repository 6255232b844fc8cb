"""What an export's signatures should answer: requests of every kind, and the Python model's answers."""

import json
from typing import Any

import numpy as np

from keras_ft.evaluation.predictor import Predictor
from keras_ft.export.verify import Decisions
from keras_ft.tasks.answering import AnsweringTask
from keras_ft.tasks.language import LanguageTask
from keras_ft.tasks.model import TrainedModel
from keras_ft.tasks.samples import hard_requests

SAMPLED = 8  # requests of `sample`
SETTINGS: dict[str, list] = {  # of those requests, one behind the other
    "max_new_tokens": [-1, 8, 0, 16, -1, 4, 1, 8],
    "temperature": [-1.0, 0.0, 1.0, 0.7, 1.5, 1.0, 0.5, 2.0],
    "top_k": [-1, 0, 10, 5, 0, 300, -1, 0],
    "top_p": [-1.0, 1.0, 0.9, 1.0, 0.95, 0.5, -1.0, 0.99],
    "seed": [-1, 0, 1, 2, 3, 4, 5, 6],
}


def expected_answers(
    trained: TrainedModel, task: AnsweringTask, dtype: str, top_k: int | None, samples: dict[str, list]
) -> tuple[dict[str, Any], dict[str, Any], Decisions | None]:
    """Requests and answers of `serving_default`, of the task's own name, and of its further signatures, by signature.

    Args:
        trained: the model.
        task: its task.
        dtype: compute type.
        top_k: see `AnsweringTask.answer`.
        samples: requests of the run, by text column.

    Returns:
        Both, and what the labels hang on where the task ranks them.
    """
    columns = joined(samples, hard_requests(task))
    answers = Predictor(trained, dtype, top_k)(columns)
    decisions = None
    if "scores" in answers:
        ranking = answers["scores"] if top_k != 1 else Predictor(trained, dtype, top_k=2)(columns)["scores"]
        decisions = Decisions(as_json({"scores": ranking})["scores"], task.score_threshold, task.label_thresholds)
    names = ("serving_default", task.name)
    requests, expected = dict.fromkeys(names, columns), dict.fromkeys(names, as_json(answers))
    for name in task.other_requests():
        requests[name] = task.as_other_requests(name, columns)
        expected[name] = as_json(Predictor(trained, dtype, top_k, signature=name)(requests[name]))
    return requests, expected, decisions


def expected_texts(
    trained: TrainedModel, task: LanguageTask, dtype: str, samples: dict[str, list]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Requests and answers of `serving_default`, of the task's own name, and of `sample`, by signature.

    In bfloat16 no texts are drawn to be compared: rounding would tip one draw in a few, and all behind it.

    Args:
        trained: the model.
        task: its task.
        dtype: compute type.
        samples: requests of the run, by text column.
    """
    few = {name: values[:SAMPLED] for name, values in samples.items()}
    columns = joined(few, hard_requests(task))
    count = len(next(iter(few.values())))
    asked = {name: values[:count] for name, values in SETTINGS.items()}
    if dtype == "bfloat16":
        asked["temperature"] = [0.0] * count
    answers = as_json(Predictor(trained, dtype)(columns))
    typed = {name: np.array(values, "float32" if name in FLOATS else "int32") for name, values in asked.items()}
    sampled = as_json(Predictor(trained, dtype, asks=True)(few, typed))
    names = ("serving_default", task.name)
    drawn = dtype == "bfloat16" and task.generation.do_sample
    return (
        {**dict.fromkeys(names, columns), "sample": few | asked},
        {**dict.fromkeys(() if drawn else names, answers), "sample": sampled},
    )


FLOATS = ("temperature", "top_p")


def joined(one: dict[str, list], other: dict[str, list]) -> dict[str, list]:
    """The rows of one and then those of the other, by column."""
    return {name: values + other[name] for name, values in one.items()}


def as_json(answers: dict[str, np.ndarray]) -> dict[str, list]:
    """Arrays as nested lists, with strings for bytes."""
    return {
        name: json.loads(json.dumps(values.tolist(), default=lambda found: found.decode("utf-8")))
        for name, values in answers.items()
    }
