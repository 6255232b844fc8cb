"""What a finished model writes for the examples of a split, and how near it comes to what was wanted.

    python -m keras_ft.evaluation.written RUN/model < requests.json

writes in a process of its own, for runs that another backend trained: text is always written with TensorFlow.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from keras_ft.data.arrays import TokenArrays
from keras_ft.errors import RequestError, WorkError
from keras_ft.evaluation.origin import Origin
from keras_ft.evaluation.texts import GeneratedText
from keras_ft.tasks.base import Task
from keras_ft.tasks.language import LanguageTask

if TYPE_CHECKING:
    from keras_ft.evaluation.predictor import Predictor

MOST = 1000  # examples of a split, evenly spread; more would hardly move a metric
AT_ONCE = 64
Answers = dict[str, list]


def written_texts(
    task: Task, origin: Origin, writer: "FolderWriter", tell: Callable[[str], None]
) -> list[GeneratedText]:
    """What the model writes for up to `MOST` examples; nothing where the task has no references.

    Args:
        task: of the run.
        origin: the examples, and what they were made from.
        writer: writes with the run's model.
        tell: is given a line for the user.

    Raises:
        WorkError: the process that writes failed.
    """
    if not isinstance(task, LanguageTask) or not isinstance(origin.arrays, TokenArrays):
        return []
    count = origin.arrays.num_examples
    rows = (np.arange(min(MOST, count)) * count // min(MOST, count)).tolist()
    try:
        columns = origin.rows(task, rows)
    except (RequestError, OSError) as error:
        tell(f"No texts are written: {error}")
        return []
    references = task.references(columns)
    if references is None:
        return []
    requests = task.requests(columns)
    some = f"{len(rows):,} of {count:,}" if len(rows) < count else f"{count:,}"
    tell(f"Writing the texts of {some} examples")
    answers = writer(requests)
    most = task.generation.max_new_tokens
    sources = ["\n".join(found) if isinstance(found, list) else found for found in next(iter(requests.values()))]
    return [
        GeneratedText(rows[i], sources[i], references[i], text, tokens, score, tokens < most)
        for i, (text, tokens, score) in enumerate(
            zip(answers["text"], answers["num_tokens"], answers["score"], strict=True)
        )
    ]


class FolderWriter:
    """Writes with the model in a folder, which is loaded, and its generation compiled, once, at the first request.

    Args:
        model: a run's `model/`, with its weights.
    """

    def __init__(self, model: Path):
        self._model = model

    def __call__(self, requests: dict[str, list]) -> Answers:
        """The answers to requests, as lists by output name."""
        if keras.backend.backend() == "tensorflow":
            return self._answers(requests)
        return _in_a_child(self._model, requests)

    @cached_property
    def _predictor(self) -> "Predictor":
        from keras_ft.evaluation.predictor import Predictor
        from keras_ft.tasks.model import load_model

        return Predictor(load_model(self._model))

    def _answers(self, requests: dict[str, list]) -> Answers:
        found: Answers = {"text": [], "num_tokens": [], "score": []}
        lengths = [sum(map(len, request)) for request in next(iter(requests.values()))]
        order = np.argsort(lengths, kind="stable")  # texts of a length together
        for start in range(0, len(order), AT_ONCE):
            chunk = order[start : start + AT_ONCE]
            answers = self._predictor({name: [values[i] for i in chunk] for name, values in requests.items()})
            found["text"] += [text.decode("utf-8") for text in answers["text"]]
            found["num_tokens"] += answers["num_tokens"].tolist()
            found["score"] += answers["score"].tolist()
        back = np.argsort(order, kind="stable")
        return {name: [values[i] for i in back] for name, values in found.items()}


def _in_a_child(model: Path, requests: dict[str, list]) -> Answers:
    command = [sys.executable, "-m", "keras_ft.evaluation.written", str(model)]
    environment: dict[str, Any] = {**os.environ, "KERAS_BACKEND": "tensorflow"}
    done = subprocess.run(command, input=json.dumps(requests), capture_output=True, text=True, env=environment)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise WorkError(f"the model in {model} could not write: {reason}")
    return json.loads(done.stdout.strip().splitlines()[-1])


if __name__ == "__main__":
    print(json.dumps(FolderWriter(Path(sys.argv[1]))(json.load(sys.stdin))))
