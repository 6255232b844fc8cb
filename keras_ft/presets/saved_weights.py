"""The weights in the `model/` folder of a run, which count once their digest lies beside them."""

import hashlib
from pathlib import Path

from keras_ft.errors import RequestError
from keras_ft.layers.task_model import TaskModel

WEIGHTS = "model.weights.h5"
DIGEST = "model.weights.sha256"


def save_weights(model: TaskModel, folder: Path) -> None:
    """Write `model.weights.h5`, and then its sha256, without which it does not count."""
    model.save_weights(folder / WEIGHTS)
    (folder / DIGEST).write_text(_sha256(folder / WEIGHTS) + "\n", encoding="utf-8")


def void_weights(folder: Path) -> None:
    """Let what an earlier process saved no longer count, before the files beside it change."""
    (folder / DIGEST).unlink(missing_ok=True)


def load_weights(model: TaskModel, folder: Path) -> None:
    """Read what `save_weights` wrote; a head that the model does not have is left out.

    Raises:
        RequestError: the run is not finished, or the file is damaged.
    """
    weights, digest = folder / WEIGHTS, folder / DIGEST
    if not (weights.is_file() and digest.is_file()):
        raise RequestError(f"{weights} is missing: the run is not finished; the same 'keras-ft train' goes on with it")
    if digest.read_text(encoding="utf-8").strip() != _sha256(weights):
        raise RequestError(f"{weights} is corrupt (its sha256 is not that of {DIGEST}); restore it or train again")
    model.load_weights(weights)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
