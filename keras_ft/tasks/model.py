"""A task's weights: made for a new run, or read from a run folder."""

from dataclasses import dataclass
from pathlib import Path

from keras_ft.errors import RequestError
from keras_ft.layers.task_model import TaskModel
from keras_ft.presets.pretrained import Pretrained, rebuild
from keras_ft.tasks.base import Task
from keras_ft.tasks.registry import load_task


@dataclass
class TrainedModel:
    """What a run folder's `model/` holds."""

    task: Task
    pretrained: Pretrained
    model: TaskModel


def build_model(task: Task, pretrained: Pretrained, seed: int) -> TaskModel:
    """The pre-trained backbone under a fresh head; a pooler that the task does not use is not trained."""
    model = TaskModel(pretrained.backbone, pretrained.config, task.num_outputs, seed)
    pretrained.backbone.pooled_dense.trainable = task.uses_pooler
    return model


def load_model(folder: Path) -> TrainedModel:
    """Rebuild task, tokenizer and weights from the `model/` folder of a run.

    Raises:
        RequestError: a file is missing or damaged.
    """
    task = load_task(folder)
    pretrained = rebuild(folder)
    model = build_model(task, pretrained, seed=0)
    weights = folder / "model.weights.h5"
    if not weights.is_file():
        raise RequestError(f"{weights} is missing; the run was not finished: run 'keras-ft train' on it again")
    try:
        model.load_weights(weights)
    except (OSError, ValueError, KeyError) as error:
        reason = " ".join(str(error).split())[:200]
        raise RequestError(f"{weights} is corrupt ({reason}); restore it or train again") from None
    return TrainedModel(task, pretrained, model)
