"""The figures of a survey, as JSON can hold them."""

from typing import Any

import numpy as np

from keras_ft.inspection.characters import script_names
from keras_ft.inspection.finding import writable
from keras_ft.inspection.lengths import BARS, distribution, padding, truncation
from keras_ft.inspection.row_index import first_alike
from keras_ft.inspection.split_survey import SplitSurvey
from keras_ft.inspection.survey import Survey

MOST_LABELS = 1000


def statistics(survey: Survey) -> dict[str, dict[str, Any]]:
    """Split → its figures; `all` has those over all splits."""
    splits = {name: _of_split(survey, split) for name, split in survey.splits.items()}
    exact = np.concatenate([split.rows.exact for split in survey.splits.values()])
    lengths = np.concatenate([split.rows.length for split in survey.splits.values()])
    splits["all"] = {
        "rows": len(exact),
        "refused": sum(split.refused.count for split in survey.splits.values()),
        "distinct_texts": len(np.unique(exact)),
        "length": distribution(lengths),
        "truncated": truncation(lengths, survey.cut_at),
    }
    return splits


def _of_split(survey: Survey, split: SplitSurvey) -> dict[str, Any]:
    rows = split.rows
    tokens = split.tokens
    return {
        "records": split.columns.records,
        "rows": len(rows),
        "refused": split.refused.count,
        "columns": _columns(survey, split),
        "labels": _labels(survey, split),
        "numbers": _numbers(survey, split),
        "length": distribution(rows.length),
        "truncated": truncation(rows.length, survey.cut_at),
        "padding": padding(survey.example_lengths(split), survey.max_length, survey.recipe.train),
        "distinct_texts": len(np.unique(rows.exact)),
        "repeated_texts": int((first_alike(rows.normal) != np.arange(len(rows))).sum()),
        "unknown_tokens": round(split.unknown_tokens / tokens, 6) if tokens else 0.0,
        "continuing_tokens": round(split.continuing_tokens / tokens, 6) if tokens else 0.0,
        "scripts": _scripts(split),
        "languages": _languages(survey, split),
    }


def _columns(survey: Survey, split: SplitSurvey) -> dict[str, dict[str, Any]]:
    wanted = survey.kind.reads()
    read_as = {writable(survey.recipe.data.columns.get(name, name)): name for name in wanted}
    found = split.columns.to_json()
    return {name: {**column, "read_as": read_as.get(name)} for name, column in found.items()}


def _labels(survey: Survey, split: SplitSurvey) -> dict[str, Any]:
    counts = survey.label_counts[split.name]
    present = np.flatnonzero(counts)
    if not (len(present) and survey.kind.target_columns):
        return {"count": 0, "rows": {}}
    order = present[np.argsort(-counts[present], kind="stable")]
    names = survey.label_names
    return {
        "count": len(present),
        "most_frequent": names[order[0]],
        "rarest": names[order[-1]],
        "ratio": round(float(counts[order[0]] / counts[order[-1]]), 2),
        "rows": {names[i]: int(counts[i]) for i in order[:MOST_LABELS]},
        **(_labels_a_row(survey, split) if survey.answers.are_several else {}),
    }


def _labels_a_row(survey: Survey, split: SplitSurvey) -> dict[str, Any]:
    """Of tasks with several labels a row: their mean number, and how many rows have none."""
    sizes = survey.answers.membership.sum(axis=1)[split.rows.answer]
    return {"labels_a_row": round(float(sizes.mean()), 3), "rows_without": int((sizes == 0).sum())}


def _numbers(survey: Survey, split: SplitSurvey) -> dict[str, Any]:
    """Of tasks whose labels are numbers: their distribution, the histogram's bars of equal width."""
    if not (survey.answers.are_numbers and len(split)):
        return {}
    values = survey.answers.values[split.rows.answer]
    counts, edges = np.histogram(values, BARS)
    bars = zip(edges[:-1].tolist(), edges[1:].tolist(), counts.tolist(), strict=True)
    found = {
        "min": values.min(),
        "mean": values.mean(),
        "std": values.std(),
        "median": np.median(values),
        "max": values.max(),
    }
    return {
        **{name: float(f"{value:.6g}") for name, value in found.items()},
        "histogram": [{"from": start, "to": end, "rows": count} for start, end, count in bars],
    }


def _scripts(split: SplitSurvey) -> dict[str, float]:
    """Script → its share of the letters, the largest first; below a thousandth they are left out."""
    letters = split.letters_by_script
    total = int(letters.sum())
    order = np.argsort(-letters, kind="stable")
    return {script_names()[i]: round(letters[i] / total, 4) for i in order if letters[i] > total / 1000}


def _languages(survey: Survey, split: SplitSurvey) -> dict[str, Any]:
    found = survey.languages[split.name]
    looked_at = max(1, found.looked_at)
    shares = {language: round(count / looked_at, 4) for language, count in found.counts.most_common(10)}
    unsure = round(1 - found.counts.total() / looked_at, 4)
    return {"looked_at": found.looked_at, "shares": shares, "unsure": unsure}
