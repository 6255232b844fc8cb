"""Every task by its name in the recipe."""

import json
from pathlib import Path

from keras_ft.errors import RequestError
from keras_ft.recipe import suggest
from keras_ft.tasks.base import Task
from keras_ft.tasks.classification import Classification

TASKS: dict[str, type[Task]] = {Classification.name: Classification}


def task_class(name: str) -> type[Task]:
    """The class of a task.

    Raises:
        RequestError: no task has that name.
    """
    if name not in TASKS:
        raise RequestError(f"unknown task '{name}'; {suggest(name, list(TASKS))}")
    return TASKS[name]


def save_task(task: Task, folder: Path) -> None:
    """Write `task.json`."""
    description = {"name": task.name, **task.to_json()}
    text = json.dumps(description, indent=2, ensure_ascii=False)
    (folder / "task.json").write_text(text + "\n", encoding="utf-8")


def load_task(folder: Path) -> Task:
    """Rebuild the task that `save_task` wrote.

    Raises:
        RequestError: `task.json` is missing or damaged.
    """
    path = folder / "task.json"
    try:
        description = json.loads(path.read_text(encoding="utf-8"))
        return task_class(description.pop("name"))(**description)
    except OSError:
        raise RequestError(f"{path} is missing; give a run folder written by 'keras-ft train'") from None
    except (ValueError, KeyError, TypeError) as error:
        raise RequestError(f"{path} is damaged ({error!r}); train again or restore it") from None
