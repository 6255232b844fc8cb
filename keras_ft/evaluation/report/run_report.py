"""`report.html`: a run, or a run on other data, as one page."""

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np

from keras_ft.errors import RequestError
from keras_ft.evaluation.mistakes import read_mistakes
from keras_ft.evaluation.predictions import Predictions
from keras_ft.evaluation.report import sections
from keras_ft.evaluation.report.generated import generated_texts
from keras_ft.evaluation.report.inspection import data_section
from keras_ft.evaluation.report.page import Section, page
from keras_ft.evaluation.report.sections import Facts
from keras_ft.evaluation.texts import read_texts
from keras_ft.evaluation.views import view_of
from keras_ft.paths import AnyPath, copy_up, write_whole
from keras_ft.recipe import Recipe
from keras_ft.run_folder import RunFolder


def _task_sections(facts: Facts) -> list[Section]:
    return facts.view.sections(facts.predictions.columns)


def _data_section(facts: Facts) -> Section | None:
    return data_section(facts.inspection) if facts.inspection else None


# The page from top to bottom; each gives a section, several, or None.
SECTIONS: list[Callable[[Facts], Section | list[Section] | None]] = [
    sections.summary,
    generated_texts,
    sections.curves,
    _task_sections,
    sections.mistakes,
    sections.lengths,
    _data_section,
    sections.cost,
    sections.settings,
]


def rebuild_report(folder: AnyPath) -> str:
    """`keras-ft report`: write `RUN/report.html` again; returns where it is.

    Raises:
        RequestError: the run is not finished, or a file of it is missing or damaged.
    """
    run = RunFolder.opened(folder)
    path = write_run_report(run)
    if run.is_remote:
        copy_up(path, f"{run.name}/{path.name}")
    return f"{run.name}/{path.name}"


def write_run_report(run: RunFolder) -> Path:
    """Write `RUN/report.html` from what the run folder holds; no data and no model are read.

    Args:
        run: finished.

    Raises:
        RequestError: the run is not finished, or a file of it is missing or damaged.
    """
    facts = run_facts(run)
    return write_page(run.report_file, run.path.resolve().name, facts)


def run_facts(run: RunFolder) -> Facts:
    """What a run folder holds for a report; test is looked at, or validation where there is no test.

    Raises:
        RequestError: the run is not finished, or a file of it is missing or damaged.
    """
    recipe, metrics = run.read_recipe(), run.read_metrics()
    if metrics is None:
        raise RequestError(f"{run.name} is not finished; the same 'keras-ft train' goes on with it")
    splits = {name: metrics[name] for name in ("test", "validation") if metrics.get(name)}
    looked_at = next(iter(splits))
    predictions = Predictions.read(run.predictions / f"{looked_at}.npz")
    found = read_mistakes(run.predictions / f"{looked_at}_mistakes.json")
    log = read_log(run.log_file)
    texts = read_texts(run.predictions / f"{looked_at}_texts.jsonl")
    inspection = run.read_inspection()
    return Facts(recipe, splits, predictions, view_of(predictions), found, metrics["train"], log, texts, inspection)


def write_page(path: Path, name: str, facts: Facts) -> Path:
    """Write the report of these facts.

    Args:
        path: of the page; its folder is made.
        name: of the run.
        facts: what is known.
    """
    made: list[Section] = []
    for section in SECTIONS:
        found = section(facts)
        made += found if isinstance(found, list) else [found] if found else []
    path.parent.mkdir(parents=True, exist_ok=True)
    html = page(name, made, f"{facts.recipe.task.name} · {backbone_name(facts.recipe)}")
    write_whole(path, html)
    return path


def backbone_name(recipe: Recipe) -> str:
    """The backbone as people call it."""
    return Path(recipe.backbone).name if isinstance(recipe.backbone, str) else "from scratch"


def read_log(path: Path) -> dict[str, np.ndarray]:
    """The columns of `log.csv`, NaN where a row has no value; empty where there is no log."""
    if not path.is_file():
        return {}
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    names = rows[0].keys() if rows else ()
    return {name: np.array([float(row[name] or "nan") for row in rows]) for name in names}
