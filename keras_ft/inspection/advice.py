"""Settings that would suit the data better than the recipe's, each with the reason."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from keras_ft.data.plan import plan
from keras_ft.inspection.checks.labels import imbalance
from keras_ft.inspection.checks.overlap import leaking_fraction
from keras_ft.inspection.checks.registry import checks_for
from keras_ft.inspection.finding import counted, share
from keras_ft.inspection.survey import Survey

WHOLE = 0.99  # share of texts that should be left whole
ROUND_TO = 8
FEWEST_STEPS = 20  # an epoch
SMALLEST_BATCH = 8
UNEVEN = 3.0  # tokens of the largest batch by those of the mean one
LARGE = 8192  # tokens of a batch, below which memory does not mind


@dataclass(frozen=True)
class Suggestion:
    """A setting.

    Attributes:
        setting: its key in the recipe.
        now: the recipe's value.
        suggested: a better one.
        reason: why.
    """

    setting: str
    now: Any
    suggested: Any
    reason: str

    def to_json(self) -> dict[str, Any]:
        """As one object."""
        return asdict(self)


def suggestions(survey: Survey) -> list[Suggestion]:
    """All that the data suggest."""
    if not len(survey.train):
        return []
    return [*_max_length(survey), *_batch_size(survey), *_class_weight(survey), *_validation(survey)]


def _max_length(survey: Survey) -> Iterator[Suggestion]:
    lengths, now = survey.train.rows.length, survey.max_length
    cut = int((lengths > now).sum()) if survey.cut_at == now else 0  # else rows are joined, or cut into windows
    wanted = int(np.percentile(lengths, 100 * WHOLE, method="inverted_cdf"))
    better = min(-(-wanted // ROUND_TO) * ROUND_TO, survey.positions)
    if now > survey.positions:
        yield Suggestion("data.max_length", now, better, f"the backbone has {survey.positions} positions")
        return
    left = int((lengths > better).sum())
    if cut > (1 - WHOLE) * len(lengths) and left < cut / 2:
        reason = f"{share(cut, len(lengths))} of the texts are cut at {now}, {share(left, len(lengths))} at {better}"
        yield Suggestion("data.max_length", now, better, reason)


def _batch_size(survey: Survey) -> Iterator[Suggestion]:
    train = survey.recipe.train
    if train.batch_size is None:
        return
    rows, size = len(survey.example_lengths(survey.train)), train.batch_size
    if rows / size < FEWEST_STEPS:
        better = max(SMALLEST_BATCH, 2 ** int(np.log2(max(1.0, rows / FEWEST_STEPS))))
        if better < size:
            steps = counted(-(-rows // size), "step")
            yield Suggestion(
                "train.batch_size", size, better, f"{counted(rows, 'row')} make {steps} an epoch at {size}"
            )
    kept = survey.example_lengths(survey.train)
    tokens = np.array([kept[batch].sum() for batch in plan(kept, train.seed, 0, batch_size=size)])
    if tokens.max() > max(LARGE, UNEVEN * tokens.mean()):
        better = max(int(tokens.mean()), survey.max_length)
        reason = (
            f"at batch_size {size} the largest batch has {tokens.max():,} tokens, the mean one {tokens.mean():,.0f};"
            " memory must hold the largest"
        )
        yield Suggestion("train.tokens_per_batch", None, better, reason)


def _class_weight(survey: Survey) -> Iterator[Suggestion]:
    if imbalance not in checks_for(survey.kind.name) or survey.recipe.task.options.get("class_weight") is not None:
        return
    for finding in imbalance(survey):
        yield Suggestion("task.class_weight", None, "balanced", finding.what)


def _validation(survey: Survey) -> Iterator[Suggestion]:
    for finding in leaking_fraction(survey):
        if finding.severity != "note":
            fraction = survey.recipe.data.validation
            yield Suggestion("data.validation", fraction, "a file without texts of train", finding.what)
