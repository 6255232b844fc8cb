"""`keras-ft compare`: runs side by side, and which differences are more than chance."""

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from keras_ft.errors import RequestError
from keras_ft.evaluation.comparison.significance import Difference, differences
from keras_ft.evaluation.comparison.texts import comparable, text_differences
from keras_ft.evaluation.predictions import Predictions
from keras_ft.evaluation.settings import flat_settings
from keras_ft.evaluation.texts import read_texts
from keras_ft.evaluation.view import LOWER_IS_BETTER
from keras_ft.evaluation.views import view_of
from keras_ft.paths import AnyPath
from keras_ft.run_folder import RunFolder


@dataclass(frozen=True)
class ComparedRun:
    """A run as a comparison shows it.

    Attributes:
        name: of its folder, or the path as given where folders of two runs have the same name.
        metrics: on the split that is compared.
        cost: what training took.
        differences: each metric's from the first run's; empty for the first, and where nothing was tested.
        untested: why nothing was tested, empty where it was.
    """

    name: str
    metrics: dict[str, float]
    cost: dict[str, float]
    differences: list[Difference]
    untested: str = ""


@dataclass(frozen=True)
class Comparison:
    """Runs side by side.

    Attributes:
        task: the name of their task.
        split: `test`, or `validation` where a run has no test.
        runs: in the order given; the first is the measure of the others.
        settings: the settings that are not the same in all: key → a value each.
    """

    task: str
    split: str
    runs: list[ComparedRun]
    settings: dict[str, list[str]]

    def to_json(self) -> dict[str, Any]:
        """All of it as JSON can hold it."""
        runs = []
        for run in self.runs:
            tests = [{**asdict(found), "significant": found.significant} for found in run.differences]
            runs.append({**asdict(run), "differences": tests})
        return {**asdict(self), "runs": runs, "verdicts": self.verdicts()}

    def verdicts(self) -> list[str]:
        """What can be said of each run but the first, a line each."""
        return [line for run in self.runs[1:] for line in _verdict(run, self.runs[0])]


def compare(folders: Sequence[AnyPath]) -> Comparison:
    """Put finished runs of one task side by side.

    Args:
        folders: at least two run folders; the others are tested against the first.

    Raises:
        RequestError: there are fewer than two runs, one is not finished, or their tasks differ.
    """
    if len(folders) < 2:
        raise RequestError("give at least two run folders to compare")
    runs = [RunFolder.opened(folder) for folder in folders]
    metrics = [_metrics(run) for run in runs]
    tasks = list(dict.fromkeys(found["task"] for found in metrics))
    if len(tasks) > 1:
        raise RequestError(f"the runs are of different tasks ({', '.join(tasks)}), which have no metric in common")
    split = "test" if all(found.get("test") for found in metrics) else "validation"
    measure = _predictions(runs[0], split)
    compared = []
    names = _names(folders)
    for i, (run, found) in enumerate(zip(runs, metrics, strict=True)):
        tested, why = ([], "") if i == 0 else _tested(measure, _predictions(run, split), names[0], names[i], split)
        if i > 0 and not why:
            tested = tested + _tested_texts(runs[0], run, split)
        compared.append(ComparedRun(names[i], found[split], found["train"], tested, why))
    return Comparison(tasks[0], split, compared, _unlike_settings(runs))


def _names(folders: Sequence[AnyPath]) -> list[str]:
    short = [Path(folder).resolve().name for folder in folders]
    return short if len(set(short)) == len(short) else [os.fspath(folder) for folder in folders]


def _metrics(run: RunFolder) -> dict[str, Any]:
    run.read_recipe()
    metrics = run.read_metrics()
    if metrics is None:
        raise RequestError(f"{run.name} is not finished; the same 'keras-ft train' goes on with it")
    return metrics


def _predictions(run: RunFolder, split: str) -> Predictions | None:
    path = run.predictions / f"{split}.npz"
    return Predictions.read(path) if path.exists() else None


def _tested(
    first: Predictions | None, second: Predictions | None, first_name: str, second_name: str, split: str
) -> tuple[list[Difference], str]:
    """The differences of the second run from the first, or none and why."""
    if first is None or second is None:
        lacking = first_name if first is None else second_name
        return [], f"{lacking} has no predictions/{split}.npz (it is of an older keras_ft)"
    unlike = f"{second_name} was measured on other {split} data ({second.source}) than {first_name} ({first.source})"
    if first.digest != second.digest or len(first) != len(second):
        return [], unlike
    view = view_of(first)
    theirs = view_of(second).in_terms_of(view, second.columns)
    if any(not np.array_equal(first.columns[name], theirs[name]) for name in view.target_columns):
        return [], f"{unlike}: their labels differ"
    return differences(view, first.columns, theirs), ""


def _tested_texts(first: RunFolder, second: RunFolder, split: str) -> list[Difference]:
    """The differences of what both generated; none where one of them generated nothing, or for other rows."""
    ours, theirs = (read_texts(run.predictions / f"{split}_texts.jsonl") for run in (first, second))
    return text_differences(ours, theirs) if comparable(ours, theirs) else []


def _unlike_settings(runs: list[RunFolder]) -> dict[str, list[str]]:
    settings = [{key: value for key, value, _ in flat_settings(run.read_recipe())} for run in runs]
    keys = dict.fromkeys(key for found in settings for key in found)
    table = {key: [found.get(key, "–") for found in settings] for key in keys}
    return {key: values for key, values in table.items() if len(set(values)) > 1}


def _verdict(run: ComparedRun, first: ComparedRun) -> list[str]:
    if run.untested:
        return [f"No test: {run.untested}."]
    lines = []
    for found in run.differences:
        interval = f"95% interval {found.low:+.4f} to {found.high:+.4f}"
        size = f"{found.difference:+.4f}, {interval}, p {_p_text(found.p_value)}"
        if found.significant:
            gained = (found.difference > 0) != (found.metric in LOWER_IS_BETTER)
            what = "better" if gained else "worse"
            lines.append(f"{run.name} is significantly {what} than {first.name} in {found.metric} ({size}).")
        elif found.p_value == 1 and found.difference == 0:
            lines.append(f"{run.name} and {first.name} are equal in {found.metric} ({size}).")
        else:
            lines.append(f"{run.name} and {first.name} do not differ significantly in {found.metric} ({size}).")
    return lines


def _p_text(p_value: float) -> str:
    return "< 0.001" if p_value < 0.001 else f"= {p_value:.3f}"
