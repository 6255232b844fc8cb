"""A run of ours as the backbone of another."""

from dataclasses import replace
from pathlib import Path

from keras_ft.layers.task_model import TaskModel
from keras_ft.presets.pretrained import Pretrained, rebuild
from keras_ft.presets.saved_weights import load_weights

RUN_MODEL = "model"


def load_run(folder: Path, name: str) -> Pretrained:
    """The backbone that a run trained, without the head of its task.

    Args:
        folder: of the run.
        name: how the recipe called it.

    Raises:
        RequestError: the run is not finished, or a file is damaged.
    """
    pretrained = replace(rebuild(folder / RUN_MODEL), name=name)
    load_weights(TaskModel(pretrained.backbone, pretrained.config, num_outputs=None), folder / RUN_MODEL)
    return pretrained
