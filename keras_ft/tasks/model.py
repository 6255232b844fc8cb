"""A task's weights: made for a new run, or read from a run folder."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from keras_ft.errors import RequestError
from keras_ft.layers.task_model import TaskModel
from keras_ft.presets.family import BERT
from keras_ft.presets.pretrained import Pretrained, rebuild
from keras_ft.tasks.base import Task
from keras_ft.tasks.registry import load_task

WEIGHTS = "model.weights.h5"
DIGEST = "model.weights.sha256"


@dataclass
class TrainedModel:
    """What a run folder's `model/` holds."""

    task: Task
    pretrained: Pretrained
    model: TaskModel


def build_model(task: Task, pretrained: Pretrained, seed: int) -> TaskModel:
    """The pre-trained backbone under a fresh head; a pooler that the task does not use is not trained."""
    model = TaskModel(pretrained.backbone, pretrained.config, task.num_outputs, seed)
    if pretrained.family == BERT.name:
        pretrained.backbone.pooled_dense.trainable = task.uses_pooler
    return model


def save_weights(model: TaskModel, folder: Path) -> None:
    """Write `model.weights.h5`, and then its sha256, without which it does not count."""
    model.save_weights(folder / WEIGHTS)
    (folder / DIGEST).write_text(_sha256(folder / WEIGHTS) + "\n", encoding="utf-8")


def void_weights(folder: Path) -> None:
    """Let what an earlier process saved no longer count, before the files beside it change."""
    (folder / DIGEST).unlink(missing_ok=True)


def load_model(folder: Path) -> TrainedModel:
    """Rebuild task, tokenizer and weights from the `model/` folder of a run.

    Raises:
        RequestError: a file is missing or damaged.
    """
    task = load_task(folder)
    weights, digest = folder / WEIGHTS, folder / DIGEST
    if not (weights.is_file() and digest.is_file()):
        raise RequestError(f"{weights} is missing: the run is not finished; the same 'keras-ft train' goes on with it")
    if digest.read_text(encoding="utf-8").strip() != _sha256(weights):
        raise RequestError(f"{weights} is corrupt (its sha256 is not that of {DIGEST}); restore it or train again")
    pretrained = rebuild(folder)
    model = build_model(task, pretrained, seed=0)
    model.load_weights(weights)
    return TrainedModel(task, pretrained, model)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
