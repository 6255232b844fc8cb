"""The sections of a report that every task has. Each takes what is known of a run and gives a section, or None
where there is nothing to show; a new one is a function here or elsewhere, named in `run_report.SECTIONS`."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from keras_ft.evaluation.predictions import Predictions
from keras_ft.evaluation.report import figures
from keras_ft.evaluation.report.page import Block, Cell, Figure, Numbers, Paragraph, Quotes, Section, Table
from keras_ft.evaluation.settings import flat_settings
from keras_ft.evaluation.texts import GeneratedText
from keras_ft.evaluation.view import View
from keras_ft.recipe import Recipe

LENGTH_BINS = 40


@dataclass(frozen=True)
class Facts:
    """What is known of a run, or of a run on other data.

    Attributes:
        recipe: of the run.
        metrics: name → value by split, the one that is looked at first.
        cost: `metrics.json`'s `train`; empty where training is not what the page is about.
        log: the columns of `log.csv`.
        predictions: of the split that is looked at.
        view: of its task.
        mistakes: of that split, with their texts.
        texts: what was generated for that split; none where the task generates nothing.
        inspection: what `keras-ft inspect` said of the recipe's data, as JSON; None where nothing is known.
    """

    recipe: Recipe
    metrics: dict[str, dict[str, float]]
    predictions: Predictions
    view: View
    mistakes: list[dict[str, Any]]
    cost: dict[str, float] = field(default_factory=dict)
    log: dict[str, np.ndarray] = field(default_factory=dict)
    texts: list[GeneratedText] = field(default_factory=list)
    inspection: dict[str, Any] | None = None

    @property
    def split(self) -> str:
        """The name of the split that is looked at."""
        return next(iter(self.metrics))


def summary(facts: Facts) -> Section:
    """The metrics of every split."""
    names = list(dict.fromkeys(name for values in facts.metrics.values() for name in values))
    rows = [[name, *(values.get(name, "–") for values in facts.metrics.values())] for name in names]
    looked_at = facts.predictions
    text = f"The answers, texts and lengths below are those of {facts.split}: {len(looked_at):,} examples"
    blocks: list[Block] = [
        Table("Metrics", ["metric", *facts.metrics], rows),
        Paragraph(f"{text} ({looked_at.source})."),
    ]
    return Section("Results", blocks)


def curves(facts: Facts) -> Section | None:
    """What `log.csv` recorded."""
    log = facts.log
    if not len(log.get("step", ())):
        return None
    blocks: list[Block] = []
    losses = [
        (name, *points)
        for name, points in (("training", _curve(log, "loss")), ("validation", _curve(log, "val_loss")))
        if len(points[0])
    ]
    if losses:
        blocks.append(Figure("Loss", _in_words("Loss", losses), figures.lines(losses, "step", "loss")))
    measured = [(name[4:], *_curve(log, name)) for name in log if name.startswith("val_") and name != "val_loss"]
    measured = [series for i, series in enumerate(measured) if _is_new(series, measured[:i])]
    if measured:
        figure = figures.lines(measured[:4], "step", measured[0][0] if len(measured) == 1 else "on validation")
        blocks.append(Figure("Metrics on validation", _in_words("Validation metrics", measured[:4]), figure))
    rate = _curve(log, "learning_rate")
    if len(rate[0]):
        series = [("learning rate", *rate)]
        blocks.append(Figure("Learning rate", _in_words("", series), figures.lines(series, "step", "learning rate")))
    return Section("Training", blocks) if blocks else None


def mistakes(facts: Facts) -> Section:
    """The wrong answers with the highest loss."""
    if not facts.mistakes:
        wrong = len(facts.view.mistakes(facts.predictions.columns, 1))
        text = "Their texts were not kept." if wrong else f"No answer on {facts.split} is wrong."
        return Section(facts.view.mistakes_title, [Paragraph(text)])
    columns = facts.predictions.columns
    items = [
        (texts, [*facts.view.mistake_facts(columns, row, texts), ("row", str(row))])
        for row, texts in ((mistake["row"], mistake["texts"]) for mistake in facts.mistakes)
    ]
    text = f"{facts.view.mistakes_text} Rows count from 0."
    return Section(facts.view.mistakes_title, [Paragraph(text), Quotes(items)])


def lengths(facts: Facts) -> Section:
    """Tokens a text, what was cut, and what padding would have cost."""
    tokens, limit = facts.predictions.columns["tokens"], facts.recipe.data.max_length
    full = float(np.mean(tokens >= limit))
    width = int(tokens.max()) // LENGTH_BINS + 1  # tokens
    edges = np.arange(0, int(tokens.max()) + width + 1, width)
    counts = np.histogram(tokens, edges)[0]
    middle, high = (int(np.quantile(tokens, q, method="inverted_cdf")) for q in (0.5, 0.95))
    numbers = [
        ("median tokens", f"{middle:,}"),
        ("95% have at most", f"{high:,}"),
        ("longest", f"{int(tokens.max()):,}"),
        *([("cut, or just fitting", f"{full:.2%}")] if facts.view.cuts_texts else []),
    ]
    if tokens.max() <= limit:
        numbers.append((f"filler if padded to {limit}", f"{1 - float(tokens.mean()) / limit:.1%}"))
    if "padding_fraction" in facts.cost:
        numbers.append(("filler in training", f"{facts.cost['padding_fraction']:.1%}"))
    says = f"Histogram: half of the texts have at most {middle} tokens, 95% at most {high}, the longest {tokens.max()}."
    line = limit if tokens.max() >= 0.5 * limit else None
    caption = f"Tokens a text on {facts.split}, special tokens included"
    figure = figures.bars(edges, counts, "tokens", "texts", line)
    return Section(
        "Lengths",
        [
            Numbers(numbers),
            Paragraph(f"data.max_length is {limit}{' (the dashed line)' if line else ''}: {facts.view.long_texts}."),
            Figure(caption, says, figure),
        ],
    )


def cost(facts: Facts) -> Section | None:
    """What training took."""
    if not facts.cost:
        return None
    cost = facts.cost
    return Section(
        "Cost",
        [
            Numbers(
                [
                    ("training", duration(cost["seconds"])),
                    ("examples trained on", f"{cost['examples']:,}"),
                    ("examples a second", f"{cost['examples_per_second']:,.0f}"),
                    ("tokens a second", f"{cost['tokens_per_second']:,.0f}"),
                    ("trainable parameters", f"{cost['trainable_parameters']:,}"),
                    ("parameters", f"{cost['total_parameters']:,}"),
                    ("peak memory", f"{cost['peak_memory_bytes'] / 2**30:.2f} GiB"),
                ]
            )
        ],
    )


def settings(facts: Facts) -> Section:
    """The whole recipe; what is not a default is marked."""
    rows = [
        [Cell(key, mark=changed), Cell(value, mark=changed), "set" if changed else "default"]
        for key, value, changed in flat_settings(facts.recipe)
    ]
    return Section("Settings", [Table("The recipe as it was carried out", ["key", "value", "origin"], rows)])


def duration(seconds: float) -> str:
    """Seconds as people say them."""
    if seconds < 120:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def _curve(log: dict[str, np.ndarray], name: str) -> tuple[np.ndarray, np.ndarray]:
    values = log.get(name, np.full(len(log["step"]), np.nan))
    there = ~np.isnan(values)
    return log["step"][there], values[there]


def _is_new(series: tuple, others: list[tuple]) -> bool:
    """Whether a curve would be seen: it has two points, and no other lies on it, as micro F1 lies on accuracy."""
    return len(series[1]) > 1 and not any(np.array_equal(series[2], other[2]) for other in others)


def _in_words(what: str, series: list[tuple]) -> str:
    parts = [f"{name} goes from {y[0]:.4g} to {y[-1]:.4g} at step {int(x[-1])}" for name, x, y in series]
    return f"{what + ': ' if what else ''}{'; '.join(parts)}."
