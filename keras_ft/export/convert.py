"""`keras-ft convert`: a run → a folder that keras-hub or transformers loads, and `backbone:` too."""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from keras_ft.errors import RequestError, WorkError
from keras_ft.export.hugging_face_folder import check_hugging_face, write_hugging_face
from keras_ft.export.keras_hub_preset import check_keras_hub, write_keras_hub
from keras_ft.paths import AnyPath, is_remote
from keras_ft.presets.encoder_checkpoints import ENCODER_CHECKPOINTS
from keras_ft.presets.load import load_pretrained
from keras_ft.run_folder import RunFolder
from keras_ft.tasks.classification import Classification
from keras_ft.tasks.model import TrainedModel, load_model
from keras_ft.tasks.pair import Pair

Writer = Callable[[TrainedModel, Classification, Path], list[str]]
Checker = Callable[[TrainedModel, Classification, Path], None]
FORMATS: dict[str, tuple[Writer, Checker]] = {
    "keras-hub": (write_keras_hub, check_keras_hub),
    "hugging-face": (write_hugging_face, check_hugging_face),
}


@dataclass(frozen=True)
class Conversion:
    """What was written.

    Attributes:
        folder: where.
        format: `keras-hub` or `hugging-face`.
        notes: what its reader should know, a line each.
    """

    folder: Path
    format: str
    notes: list[str]


def convert(run: AnyPath, to: AnyPath, format: str) -> Conversion:
    """Write a run in another library's format, read it back, and only then name it.

    Args:
        run: a finished run folder, here or in an object store.
        to: the local folder to write; absent or empty.
        format: a key of `FORMATS`.

    Raises:
        RequestError: the run is not finished, the folder is taken, or the format cannot hold the model.
        WorkError: what was written is not the model; nothing is left behind.
    """
    if format not in FORMATS:
        raise RequestError(f"--format {format} is unknown; known: {', '.join(FORMATS)}")
    if is_remote(to):
        raise RequestError(f"--to {to} is in an object store; give a local folder, and copy it there")
    to = Path(to)
    if to.exists() and not to.is_dir():
        raise RequestError(f"--to {to} is a file; give a folder")
    if to.is_dir() and any(to.iterdir()):
        raise RequestError(f"--to {to} is not empty; give another folder, or empty it")
    trained = load_model(RunFolder.opened(run).model)
    task = trained.task
    if type(task) not in (Classification, Pair):  # heads of other tasks made from these read other states
        raise RequestError(f"{run} is a {task.name} run; runs of classification and pair can be converted")
    assert isinstance(task, Classification)
    write, check = FORMATS[format]
    target = to.resolve()
    scratch = target.parent / f".converting-{target.name}-{os.getpid()}"
    try:
        scratch.mkdir(parents=True)
    except OSError as error:
        raise RequestError(f"--to {to} cannot be written ({error.strerror}); give another folder") from None
    try:
        notes = write(trained, task, scratch)
        _check_backbone(trained, task, scratch)
        check(trained, task, scratch)
        _publish(scratch, target)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return Conversion(to, format, notes)


def _publish(scratch: Path, target: Path) -> None:
    try:
        scratch.rename(target)
    except OSError:
        raise RequestError(f"{target} was written by another process meanwhile; convert again") from None


def _check_backbone(trained: TrainedModel, task: Classification, folder: Path) -> None:
    """Load the folder as `backbone:` would, and compare everything."""
    ours, theirs = trained.pretrained, load_pretrained(str(folder))
    variables = ENCODER_CHECKPOINTS[ours.family].variables
    pairs = zip(variables(ours.backbone), variables(theirs.backbone), strict=True)
    different = [name for (name, one), (_, other) in pairs if not np.array_equal(one, other)]
    different += ["arithmetic"] * (ours.config != theirs.config)
    different += ["tokenizer"] * (ours.tokenizer.fingerprint() != theirs.tokenizer.fingerprint())
    different += ["pooling"] * (task.pooling != theirs.pooling)
    if different:
        raise WorkError(f"the folder reads back with another {different[0]}; nothing was written")
