"""The curves of a run on Weights & Biases, one run there for one run folder, however often it is resumed."""

import json
import secrets
from pathlib import Path
from typing import Any

from keras_ft.errors import RequestError, WorkError
from keras_ft.paths import write_whole
from keras_ft.recipe import Recipe, WandBOptions
from keras_ft.run_folder import RunFolder
from keras_ft.training.logs.step_log import StepLog, curve_of


def check_wandb() -> None:
    """Refuse a recipe that asks for what is not installed (RequestError)."""
    try:
        import wandb  # noqa: F401
    except ImportError:
        raise RequestError("logging.wandb needs the package wandb; pip install 'keras-ft[wandb]'") from None


class WandBLog(StepLog):
    """`train/…` every so many steps, `validation/…` at every evaluation, against the axis `step`.

    W&B's own environment variables hold: `WANDB_MODE=offline` sends nothing, `WANDB_API_KEY` is who you are.

    Args:
        folder: `wandb.json` there holds the id, `wandb/` what is to be sent.
        options: the recipe's `logging.wandb`.
        recipe: becomes the run's config.
        resumed_step: where training goes on, 0 for a new run.

    Raises:
        WorkError: W&B refuses the run.
    """

    def __init__(self, folder: RunFolder, options: WandBOptions, recipe: Recipe, resumed_step: int):
        super().__init__(recipe.logging.every, resumed_step)
        import wandb

        chosen = {key: value for key, value in options.model_dump().items() if value}
        try:
            self.run = wandb.init(
                **{"project": "keras-ft", "name": folder.path.name, **chosen},
                id=_run_id(folder.wandb_file),
                resume="allow",
                dir=str(folder.path),
                config=recipe.model_dump(mode="json"),
            )
        except wandb.errors.Error as error:
            reason = " ".join(str(error).split())
            raise WorkError(f"Weights & Biases: {reason}; set WANDB_API_KEY, or WANDB_MODE=offline") from None
        # W&B's own step cannot go back, as that of a run resumed from a checkpoint does.
        self.run.define_metric("step")
        self.run.define_metric("*", step_metric="step")

    def record(self, values: dict[str, float]) -> None:
        """Send the values."""
        self.run.log({"step": self.step, **{curve_of(name): value for name, value in values.items()}})

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Leave the best evaluation as the run's summary."""
        self.run.summary.update({f"best/{name}": value for name, value in (logs or {}).items()})

    def close(self, failed: bool) -> None:
        """Send what is left; a run that was cut off counts as failed until it is resumed."""
        self.run.finish(exit_code=int(failed))


def _run_id(file: Path) -> str:
    try:
        return json.loads(file.read_text(encoding="utf-8"))["id"]
    except (OSError, ValueError, KeyError):
        made = secrets.token_hex(4)
        write_whole(file, json.dumps({"id": made}) + "\n")
        return made
