"""Every task by its name in the recipe."""

import json
from pathlib import Path
from typing import Any

from keras_ft.errors import RequestError
from keras_ft.presets.pretrained import Pretrained
from keras_ft.recipe import Recipe, check_options, suggest
from keras_ft.tasks.base import Task
from keras_ft.tasks.causal_lm import CausalLM
from keras_ft.tasks.classification import Classification
from keras_ft.tasks.dialogue import Dialogue
from keras_ft.tasks.embedding import Embedding
from keras_ft.tasks.multilabel import Multilabel
from keras_ft.tasks.pair import Pair
from keras_ft.tasks.regression import Regression
from keras_ft.tasks.relation import Relation
from keras_ft.tasks.span_qa import SpanQA
from keras_ft.tasks.tagging import Tagging
from keras_ft.tasks.text2text import Text2Text

KINDS: tuple[type[Task], ...] = (
    Classification,
    Multilabel,
    Pair,
    Regression,
    Relation,
    Tagging,
    SpanQA,
    Embedding,
    CausalLM,
    Text2Text,
    Dialogue,
)
TASKS: dict[str, type[Task]] = {kind.name: kind for kind in KINDS}


def task_class(name: str) -> type[Task]:
    """The class of a task.

    Raises:
        RequestError: no task has that name.
    """
    if name not in TASKS:
        raise RequestError(f"unknown task '{name}'; {suggest(name, list(TASKS))}")
    return TASKS[name]


def check_task(recipe: Recipe) -> tuple[type[Task], Any]:
    """The task's class and options.

    Raises:
        RequestError: the task, one of its options or one of its columns is unknown.
    """
    kind = task_class(recipe.task.name)
    options = check_options(f"task {kind.name}", recipe.task.options, kind.Options)
    kind = kind.variant(dict(options))
    known = kind.reads()
    for name in recipe.data.columns:
        if name not in known:
            raise RequestError(f"data.columns: task {kind.name} has no column '{name}'; {suggest(name, known)}")
    return kind, options


def check_backbone(kind: type[Task], pretrained: Pretrained) -> None:
    """Refuse a backbone of a family that a task cannot work with.

    Raises:
        RequestError: it is one.
    """
    if pretrained.family not in kind.families:
        *others, last = kind.families
        wanted = f"{', '.join(others)} or {last}" if others else last
        raise RequestError(f"task {kind.name} needs a {wanted} backbone; {pretrained.name} is a {pretrained.family}")


def describe(task: Task) -> dict[str, Any]:
    """A task as JSON can hold it; `rebuild` takes it back."""
    return {"name": task.name, **task.to_json()}


def rebuild(description: dict[str, Any]) -> Task:
    """The task that `describe` described; raises KeyError or TypeError where it is damaged."""
    arguments = {name: value for name, value in description.items() if name != "name"}
    return task_class(description["name"]).variant(arguments)(**arguments)


def save_task(task: Task, folder: Path) -> None:
    """Write `task.json`."""
    text = json.dumps(describe(task), indent=2, ensure_ascii=False)
    (folder / "task.json").write_text(text + "\n", encoding="utf-8")


def load_task(folder: Path) -> Task:
    """Rebuild the task that `save_task` wrote.

    Raises:
        RequestError: `task.json` is missing or damaged.
    """
    path = folder / "task.json"
    try:
        return rebuild(json.loads(path.read_text(encoding="utf-8")))
    except OSError:
        raise RequestError(f"{path} is missing; give a run folder written by 'keras-ft train'") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RequestError(f"{path} is damaged ({error!r}); train again or restore it") from None
