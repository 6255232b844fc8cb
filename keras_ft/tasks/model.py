"""A task's weights: made for a new run, or read from a run folder."""

from dataclasses import dataclass
from pathlib import Path

from keras_ft.layers.encoder_view import pooler_of
from keras_ft.layers.task_model import TaskModel
from keras_ft.presets.pretrained import Pretrained, rebuild
from keras_ft.presets.saved_weights import load_weights
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
    model = TaskModel(
        pretrained.backbone,
        pretrained.config,
        task.num_outputs,
        seed,
        task.head_inputs(pretrained.backbone.hidden_dim),
        task.extra_weights(),
    )
    bias = task.first_bias()
    if bias is not None:
        model.head.bias.assign(bias)
    pooler = pooler_of(pretrained.backbone)
    if pooler is not None:
        pooler.trainable = task.uses_pooler
    return model


def load_model(folder: Path) -> TrainedModel:
    """Rebuild task, tokenizer and weights from the `model/` folder of a run.

    Raises:
        RequestError: a file is missing or damaged.
    """
    task = load_task(folder)
    pretrained = rebuild(folder)
    model = build_model(task, pretrained, seed=0)
    load_weights(model, folder)
    return TrainedModel(task, pretrained, model)
